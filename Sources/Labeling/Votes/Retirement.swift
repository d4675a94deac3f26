/// When enough people have looked at an object.
public struct Retirement: Sendable, Hashable, Codable {
    /// The first so many answers to a question are the same.
    public var agreeing: Int
    /// So many people have looked, whatever they said.
    public var total: Int
    /// So many people called it an artefact.
    public var artefact: Int

    public init(agreeing: Int = 4, total: Int = 9, artefact: Int = 3) {
        self.agreeing = agreeing
        self.total = total
        self.artefact = artefact
    }

    /// One person's answer is enough: for somebody who works alone.
    public static let single = Retirement(agreeing: 1, total: 1, artefact: 1)

    private func isSettled(_ answers: [String]) -> Bool {
        let artefacts = answers.count { $0 == QuestionTree.artefact || $0 == "artifact" }
        if artefacts >= artefact { return true }
        if answers.count >= total { return true }
        return answers.count >= agreeing && Set(answers.prefix(agreeing)).count == 1
    }

    /// Whether an object is done with.
    ///
    /// - Parameters:
    ///   - votes: for each question its answers in the order in which they were given, one a person.
    ///   - artefacts: people who flagged the object as an artefact.
    ///   - finished: people who answered all that the tree asked them.
    public func isRetired(_ votes: [String: [String]], artefacts: Int, finished: Int, tree: QuestionTree) -> Bool {
        if artefacts >= artefact || artefacts + finished >= total { return true }
        var question = tree.root
        while true {
            let answers = votes[question.name] ?? []
            guard isSettled(answers) else { return false }
            let winner = VoteCounts.winner(of: answers)
            guard let winner, let answer = question.answer(named: winner), let next = tree.question(after: answer)
            else { return true }
            question = next
        }
    }
}
