/// What a morphology model answers.
public enum MorphologyTarget: Codable, Sendable, Hashable {
    /// Exactly one of these classes.
    case classes([String])
    /// Each of these for itself: yes or no, or how strong between 0 and 1.
    case labels([String])
    /// Vote fractions for the answers of a decision tree.
    case tree(DecisionTree)

    /// Names of the classes or labels, or of a tree's answers as `{question}_{answer}`.
    public var names: [String] {
        switch self {
        case .classes(let names), .labels(let names): names
        case .tree(let tree):
            tree.questions.flatMap { question in question.answers.map { "\(question.name)_\($0.name)" } }
        }
    }

    /// `classes`, `labels` or `tree`.
    public var kind: String {
        switch self {
        case .classes: "classes"
        case .labels: "labels"
        case .tree: "tree"
        }
    }

    /// Numbers that the network gives for an image: a logit a class or label; for a tree a logit an answer, then one a question
    /// for how much the votes scatter.
    public var outputCount: Int {
        switch self {
        case .classes(let names), .labels(let names): names.count
        case .tree(let tree): tree.answerCount + tree.questions.count
        }
    }

    /// Numbers that describe the truth of an image: the place of its class; a value a label (NaN where unknown); votes an answer.
    public var labelWidth: Int {
        switch self {
        case .classes: 1
        case .labels(let names): names.count
        case .tree(let tree): tree.answerCount
        }
    }

    /// Whether the answer depends on how a galaxy winds, so that mirrored images are no views of it.
    public var isHanded: Bool {
        let words = ["clockwise", "handed", "arm_rotation", "chirality", "z_spiral", "s_spiral"]
        return names.contains { name in words.contains { name.lowercased().contains($0) } }
    }
}
