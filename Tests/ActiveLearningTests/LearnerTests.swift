import ActiveLearning
import Foundation
import Labeling
import Models
import Tensors
import TestSupport
import Testing
import Training

@Suite struct LearnerTests {
    /// Two clouds of objects in eight dimensions, apart in each of them by less than two standard deviations.
    private func makeFeatures(_ count: Int) -> (features: MorphologyFeatures, isDisk: [Bool]) {
        var random = RandomNumbers(seed: 5)
        var values: [Float] = []
        let isDisk = (0..<count).map { $0 % 2 == 0 }
        for row in 0..<count {
            for channel in 0..<8 {
                let noise = (0..<4).reduce(Float(0)) { sum, _ in sum + Float(random.integer(below: 1000)) / 1000 - 0.5 }
                values.append(noise + (isDisk[row] ? (channel % 2 == 0 ? 1 : -1) : 0))
            }
        }
        return (MorphologyFeatures(values, width: 8), isDisk)
    }

    private func makeStore(_ folder: String, count: Int, tree: QuestionTree, strategy: String) throws -> LabelStore {
        let store = try LabelStore(path: folder + "/labels.sqlite")
        try store.importObjects((0..<count).map { ReviewObject(id: "o\($0)", path: "o\($0).png", row: $0) })
        try store.defineTask("t", tree: tree, strategy: strategy)
        return store
    }

    @Test func labelsMakeAModelThatReordersTheQueueAndCanBeRolledBack() throws {
        try withTemporaryFolder { folder in
            let count = 400
            let (features, isDisk) = makeFeatures(count)
            let store = try makeStore(
                folder, count: count, tree: .classes("class", ["disk", "smooth"]), strategy: "margin=0.8,random=0.2")
            let learner = Learner(
                store, features: features, outlierScores: .init(repeating: .nan, count: count),
                ids: (0..<count).map { "o\($0)" }, workers: 2)
            try learner.buildQueue(task: "t", seed: 1)
            let session = try store.startSession(labeller: "a", task: "t")
            #expect(throws: ActiveLearningError.self) { try learner.learn(task: "t") }
            func answer(_ number: Int) throws {
                for _ in 0..<number {
                    let entry = try #require(try store.next(session).first)
                    try store.decide(
                        session, objectID: entry.object.id, question: "class",
                        answer: isDisk[entry.object.row] ? "disk" : "smooth", seconds: 1)
                }
            }
            try answer(20)
            let first = try learner.learn(task: "t", seed: 7)
            #expect(first.version == 1 && first.answers == 20 && first.auc > 0.9 && first.aucBefore == nil)
            let answers = try store.proposedAnswers(task: "t", question: "class")
            let right = (0..<count).count { answers["o\($0)"] == (isDisk[$0] ? "disk" : "smooth") }
            #expect(right > 360)
            let ranking = try store.ranking(task: "t", limit: count)
            #expect(ranking.count == count)
            #expect(ranking[0].proposal.modelVersion == 1)

            try answer(30)
            let second = try learner.learn(task: "t", seed: 8)
            #expect(second.version == 2 && second.answers == 50 && second.aucBefore == first.auc)
            #expect(second.line.contains("50 answers"))
            #expect(try store.ranking(task: "t", limit: count).map(\.proposal) != ranking.map(\.proposal))
            #expect(try store.statistics(task: "t").compared == 30)

            // Version 1 is made again from its labels: the same answers and probabilities.
            try learner.rollback(task: "t", version: 1)
            #expect(try store.models(task: "t").map(\.isActive) == [true, false])
            let again = try store.ranking(task: "t", limit: count).map(\.proposal)
            #expect(
                again.sorted { $0.objectID < $1.objectID }
                    == ranking.map(\.proposal).sorted { $0.objectID < $1.objectID })
            #expect(throws: ActiveLearningError.self) { try learner.rollback(task: "t", version: 9) }
        }
    }

    @Test func interestMovesTheQueueToWhatPeopleLike() throws {
        try withTemporaryFolder { folder in
            let count = 200
            let (features, isDisk) = makeFeatures(count)
            let store = try makeStore(folder, count: count, tree: .outlier, strategy: "outliers=0.5,relevance=0.5")
            // All equally unusual, so that only people's answers can tell them apart.
            let learner = Learner(
                store, features: features, outlierScores: .init(repeating: 1, count: count),
                ids: (0..<count).map { "o\($0)" }, workers: 1)
            try learner.buildQueue(task: "t", seed: 0)
            let session = try store.startSession(labeller: "a", task: "t")
            for row in 0..<20 {
                try store.decide(session, objectID: "o\(row)", question: "interest", answer: isDisk[row] ? "5" : "0")
            }
            let report = try learner.learn(task: "t")
            #expect(report.auc > 0.9)
            let liked = try store.ranking(task: "t", limit: 60).filter { $0.proposal.strategy == "relevance" }
            #expect(liked.count == 30 && liked.count { isDisk[$0.object.row] } >= 28)
        }
    }

    @Test(arguments: ["desi", "gz2"])
    func aGalaxyZooTreeIsWalkedToItsEndByEveryAnswer(name: String) throws {
        let tree = try #require(DecisionTree.builtIn[name])
        let questions = try QuestionTree(tree)
        #expect(questions.questions.count == tree.questions.count)
        #expect(questions.root.name == "smooth-or-featured")
        // Whatever is answered, each question that is asked has its parent's answer on the way there.
        func walk(_ question: Question, _ given: [String: String]) {
            if let parent = tree.questions.first(where: { $0.name == question.name })?.parent {
                #expect(given[parent.question] == parent.answer)
            }
            #expect(given[question.name] == nil)
            for answer in question.answers {
                var now = given
                now[question.name] = answer.name
                if let next = questions.question(after: answer) {
                    walk(next, now)
                } else {
                    // Every question whose parent was answered so has been asked.
                    for asked in tree.questions {
                        let isDue = asked.parent.map { now[$0.question] == $0.answer } ?? true
                        #expect((now[asked.name] != nil) == isDue)
                    }
                }
            }
        }
        if name == "gz2" { #expect(questions.question("has-spiral-arms") != nil) }
        walk(questions.root, [:])
    }
}
