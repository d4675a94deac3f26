import Labeling
import Models
import Training

/// The tasks that the program knows by name, and trees in files.
public enum TaskKind {
    /// `outliers`, `class5`, a Galaxy Zoo tree (`desi`, `gz2`), or a YAML or JSON file with a question tree.
    ///
    /// - Throws: ``ActiveLearningError`` for another name; `QuestionTreeError` for a file that holds no tree.
    public static func tree(named name: String) throws -> QuestionTree {
        switch name {
        case "outliers": return .outlier
        case "class5": return .class5
        default: break
        }
        if let tree = DecisionTree.builtIn[name] { return try QuestionTree(tree) }
        guard name.contains("/") || name.contains(".") else {
            throw ActiveLearningError(
                .configuration,
                "there is no task '\(name)'; there are outliers, class5, \(DecisionTree.builtIn.keys.sorted().joined(separator: ", ")), or say --questions FILE"
            )
        }
        return try QuestionTree(contentsOf: name)
    }
}

extension QuestionTree {
    /// A Galaxy Zoo tree as a reviewer walks through it: the first root question, what follows from its answer, then the next
    /// root question. A question that several answers lead to the end of is asked after each of them.
    ///
    /// - Throws: `QuestionTreeError` for a tree whose questions have more answers than there are keys.
    public init(_ tree: DecisionTree) throws(QuestionTreeError) {
        // After an answer come its child questions in order; after the last of a branch, the next question above.
        func children(_ question: String, _ answer: String) -> [String] {
            tree.questions.filter { $0.parent == DecisionTree.Parent(question, answer) }.map(\.name)
        }
        let roots = tree.questions.filter { $0.parent == nil }.map(\.name)
        /// The question asked once a question and all below it are answered.
        func following(_ name: String) -> String? {
            let question = tree.questions.first { $0.name == name }!
            guard let parent = question.parent else {
                let place = roots.firstIndex(of: name)! + 1
                return place < roots.count ? roots[place] : nil
            }
            let siblings = children(parent.question, parent.answer)
            let place = siblings.firstIndex(of: name)! + 1
            return place < siblings.count ? siblings[place] : following(parent.question)
        }
        let questions = tree.questions.map { question in
            let keys = QuestionTree.defaultKeys(question.answers.count)
            return Question(
                name: question.name,
                answers: zip(keys, question.answers).map { key, answer in
                    Answer(
                        key: key, name: answer.name,
                        next: children(question.name, answer.name).first ?? following(question.name))
                })
        }
        try self.init(questions)
    }
}
