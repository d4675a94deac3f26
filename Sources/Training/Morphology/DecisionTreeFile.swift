import Foundation
public import Models
import Yams

/// Reads decision trees from YAML.
///
/// ```yaml
/// name: my-survey
/// questions:
///   - name: smooth-or-featured
///     answers: [smooth, featured-or-disk, artifact]
///   - name: disk-edge-on
///     parent: smooth-or-featured/featured-or-disk
///     answers:
///       - {name: yes, column: t02_edgeon_a04_yes_count}
///       - {name: no, column: t02_edgeon_a05_no_count}
/// ```
///
/// Votes are read from the column `{question}_{answer}`, or the one that the answer names.
public enum DecisionTreeFile {
    /// A tree that is built in (`desi`, `gz2`), or one in a file.
    ///
    /// - Throws: ``TrainingError`` with the line of what is wrong; `ModelError` for a tree that cannot be.
    public static func tree(named name: String) throws -> DecisionTree {
        if let tree = DecisionTree.builtIn[name] { return tree }
        guard name.contains("/") || name.contains(".") else {
            throw TrainingError(
                .invalidConfiguration,
                reason:
                    "no tree is called '\(name)'; there are \(DecisionTree.builtIn.keys.sorted().joined(separator: ", ")), or a YAML file"
            )
        }
        guard let text = try? String(contentsOfFile: name, encoding: .utf8) else {
            throw TrainingError(.file, path: name, reason: "cannot be read")
        }
        return try parse(text, path: name)
    }

    /// The tree that a text describes.
    package static func parse(_ text: String, path: String) throws -> DecisionTree {
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch {
            throw TrainingError(.file, path: path, reason: "is no YAML: \(error)")
        }
        func failure(_ node: Node?, _ reason: String) -> TrainingError {
            let line = node?.mark.map { "line \($0.line): " } ?? ""
            return TrainingError(.file, path: path, reason: line + reason)
        }
        // Scalars as they are written: `yes` and `no` are answers here, not truth values.
        func scalar(_ node: Node?, _ what: String, in parent: Node?) throws -> String {
            guard case .scalar(let found)? = node, !found.string.isEmpty else {
                throw failure(node ?? parent, "expected \(what)")
            }
            return found.string
        }
        func fields(_ node: Node, _ known: Set<String>) throws -> Node.Mapping {
            guard case .mapping(let mapping) = node else {
                throw failure(node, "expected \(known.sorted().joined(separator: ", "))")
            }
            for key in mapping.keys where !known.contains(key.scalar?.string ?? "") {
                throw failure(
                    key,
                    "unknown key '\(key.scalar?.string ?? "")'; known are \(known.sorted().joined(separator: ", "))")
            }
            return mapping
        }
        guard let root else { throw failure(nil, "is empty") }
        let top = try fields(root, ["name", "questions"])
        guard case .sequence(let list)? = top["questions"] else { throw failure(root, "expected a list of questions") }
        let questions = try list.map { node in
            let question = try fields(node, ["name", "answers", "parent"])
            let name = try scalar(question["name"], "the name of a question", in: node)
            guard case .sequence(let answers)? = question["answers"] else {
                throw failure(node, "expected a list of answers")
            }
            var parent: DecisionTree.Parent?
            if let given = question["parent"] {
                let parts = try scalar(given, "question/answer", in: node).split(separator: "/").map(String.init)
                guard parts.count == 2 else { throw failure(given, "expected question/answer") }
                parent = .init(parts[0], parts[1])
            }
            return DecisionTree.Question(
                name,
                try answers.map { answer in
                    guard case .mapping = answer else {
                        return .init(try scalar(answer, "an answer", in: node))
                    }
                    let fields = try fields(answer, ["name", "column"])
                    return .init(
                        try scalar(fields["name"], "the name of an answer", in: answer),
                        columns: try fields["column"].map { [try scalar($0, "a column", in: answer)] } ?? [])
                }, parent: parent)
        }
        return try DecisionTree(name: try scalar(top["name"], "the name of the tree", in: root), questions: questions)
    }
}
