import Foundation
import Yams

/// One possible answer to a question.
public struct Answer: Sendable, Hashable, Codable {
    /// The key that gives it.
    public var key: Character
    public var name: String
    /// The question that follows; nil where the object is done.
    public var next: String?

    public init(key: Character, name: String, next: String? = nil) {
        self.key = key
        self.name = name
        self.next = next
    }

    private enum CodingKeys: CodingKey { case key, name, next }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let text = try fields.decode(String.self, forKey: .key)
        guard text.count == 1 else {
            throw DecodingError.dataCorruptedError(
                forKey: .key, in: fields, debugDescription: "expected one character, got '\(text)'")
        }
        key = Character(text)
        name = try fields.decode(String.self, forKey: .name)
        next = try fields.decodeIfPresent(String.self, forKey: .next)
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(String(key), forKey: .key)
        try fields.encode(name, forKey: .name)
        try fields.encodeIfPresent(next, forKey: .next)
    }
}

/// A question with the keys that answer it.
public struct Question: Sendable, Hashable, Codable {
    public var name: String
    public var answers: [Answer]

    public init(name: String, answers: [Answer]) {
        self.name = name
        self.answers = answers
    }

    public func answer(_ key: Character) -> Answer? { answers.first { $0.key == key } }
    public func answer(named name: String) -> Answer? { answers.first { $0.name == name } }
}

/// What a reviewer is asked about an object: the first question, and those that follow its answers.
///
/// ```yaml
/// questions:
///   - name: smooth-or-featured
///     answers:
///       - {key: s, name: smooth}
///       - {key: f, name: featured-or-disk, next: disk-edge-on}
///   - name: disk-edge-on
///     answers: [{key: y, name: "yes"}, {key: n, name: "no"}]
/// ```
public struct QuestionTree: Sendable, Hashable, Codable {
    /// The root first.
    public private(set) var questions: [Question]

    /// - Throws: ``QuestionTreeError`` for a tree without questions, with names or keys used twice, with answers that lead
    ///   to no question of the list, or that lead back to an earlier one.
    public init(_ questions: [Question]) throws(QuestionTreeError) {
        self.questions = questions
        try check()
    }

    public init(from decoder: any Decoder) throws {
        questions = try decoder.container(keyedBy: CodingKeys.self).decode([Question].self, forKey: .questions)
        try check()
    }

    /// Reads a YAML or JSON file.
    ///
    /// - Throws: ``QuestionTreeError`` with the file's name.
    public init(contentsOf path: String) throws(QuestionTreeError) {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw QuestionTreeError("\(path): cannot be read")
        }
        struct Contents: Decodable { var questions: [Question] }
        let contents: Contents
        do { contents = try YAMLDecoder().decode(Contents.self, from: text) } catch {
            throw QuestionTreeError("\(path): is no question tree: \(error)")
        }
        do throws(QuestionTreeError) { try self.init(contents.questions) } catch {
            throw QuestionTreeError("\(path): \(error.reason)")
        }
    }

    public var root: Question { questions[0] }

    public func question(_ name: String) -> Question? { questions.first { $0.name == name } }

    /// The question after an answer; nil where the object is done.
    public func question(after answer: Answer) -> Question? { answer.next.flatMap(question) }

    /// Names of all questions that can follow a question, itself not among them.
    public func descendants(of name: String) -> Set<String> {
        var found: Set<String> = []
        var open = [name]
        while let current = open.popLast() {
            for next in question(current)?.answers.compactMap(\.next) ?? [] where found.insert(next).inserted {
                open.append(next)
            }
        }
        return found
    }

    /// Whether answers by question go all the way from the root to where nothing more is asked.
    public func isFinished(_ answers: [String: String]) -> Bool {
        var current = root
        while let name = answers[current.name], let answer = current.answer(named: name) {
            guard let next = question(after: answer) else { return true }
            current = next
        }
        return false
    }

    private func check() throws(QuestionTreeError) {
        guard !questions.isEmpty else { throw QuestionTreeError("there are no questions") }
        guard Set(questions.map(\.name)).count == questions.count else {
            throw QuestionTreeError("a question's name is used twice")
        }
        for question in questions {
            guard !question.name.isEmpty, !question.answers.isEmpty else {
                throw QuestionTreeError("the question '\(question.name)' has no name or no answers")
            }
            guard Set(question.answers.map(\.key)).count == question.answers.count,
                Set(question.answers.map(\.name)).count == question.answers.count
            else { throw QuestionTreeError("'\(question.name)' has a key or an answer twice") }
            for answer in question.answers {
                guard !answer.name.isEmpty else { throw QuestionTreeError("'\(question.name)' has a nameless answer") }
                if let next = answer.next, self.question(next) == nil {
                    throw QuestionTreeError(
                        "'\(answer.name)' of '\(question.name)' leads to '\(next)', which there is not")
                }
            }
            guard !descendants(of: question.name).contains(question.name) else {
                throw QuestionTreeError("'\(question.name)' leads back to itself")
            }
        }
    }
}

/// A question tree that cannot be, or a file that holds none.
public struct QuestionTreeError: Error, Sendable, Equatable, CustomStringConvertible {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}
