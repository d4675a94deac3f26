/// How many people gave each answer to a question about an object.
public struct VoteCounts: Sendable, Equatable {
    public var objectID: String
    public var question: String
    /// Answers in the tree's order with their votes, zeros included.
    public var answers: [String]
    public var counts: [Int]

    public init(objectID: String, question: String, answers: [String], counts: [Int]) {
        precondition(answers.count == counts.count, "[VoteCounts] expected a count an answer")
        self.objectID = objectID
        self.question = question
        self.answers = answers
        self.counts = counts
    }

    public var total: Int { counts.reduce(0, +) }

    /// Votes for an answer over all votes; NaN without votes.
    public func fraction(of answer: String) -> Double {
        guard let place = answers.firstIndex(of: answer), total > 0 else { return .nan }
        return Double(counts[place]) / Double(total)
    }

    /// The answer most people gave; nil where there is no vote, or two answers have equally many.
    public var consensus: String? {
        guard let most = counts.max(), most > 0, counts.count(where: { $0 == most }) == 1 else { return nil }
        return answers[counts.firstIndex(of: most)!]
    }

    /// The commonest of some answers; at a tie the one that was given first.
    static func winner(of answers: [String]) -> String? {
        var counts: [String: Int] = [:]
        for answer in answers { counts[answer, default: 0] += 1 }
        let most = counts.values.max() ?? 0
        return answers.first { counts[$0] == most }
    }
}
