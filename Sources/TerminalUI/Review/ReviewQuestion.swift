/// A question of a decision tree.
public struct ReviewQuestion: Sendable, Equatable {
    /// An answer, the key that gives it, and the question that it leads to (none: the object is done).
    public struct Answer: Sendable, Equatable {
        public var key: Character
        public var name: String
        public var next: String?

        public init(key: Character, name: String, next: String? = nil) {
            self.key = key
            self.name = name
            self.next = next
        }
    }

    public var name: String
    public var answers: [Answer]

    public init(name: String, answers: [Answer]) {
        self.name = name
        self.answers = answers
    }
}

/// The questions that are asked, beginning with the first.
public struct ReviewQuestions: Sendable, Equatable {
    public let questions: [ReviewQuestion]

    /// Keys that mean something else in the review.
    public static let reservedKeys: Set<Character> = [
        "u", "s", "c", "x", "b", "t", "v", "n", "q", "/", "?", "+", "-", "=",
    ]

    public init(_ questions: [ReviewQuestion]) {
        precondition(!questions.isEmpty, "[ReviewQuestions] expected at least one question")
        self.questions = questions.map { question in
            let keys = question.answers.map(\.key)
            if Self.reservedKeys.isDisjoint(with: keys), Set(keys).count == keys.count { return question }
            // A key that is taken, or there twice: the answers are numbered instead.
            var question = question
            for (index, key) in zip(question.answers.indices, Self.freeKeys) { question.answers[index].key = key }
            return question
        }
    }

    private static let freeKeys = "1234567890adefghijklmoprwyz"

    public var first: ReviewQuestion { questions[0] }

    public subscript(name: String) -> ReviewQuestion? { questions.first { $0.name == name } }
}
