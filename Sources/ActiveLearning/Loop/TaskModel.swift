import Labeling
import Tensors
import Training

/// What a task's labels teach: an ensemble of heads for each question of classes, or the interest that scores let expect.
struct TaskModel {
    private var ensembles: [String: (classes: [String], members: [[[Double]]])] = [:]
    private var root = ""
    /// Expected interest 0 … 5 by row.
    private var interest: [Double]?
    /// What the queue is ordered by for the strategy `relevance`, by row.
    private(set) var relevance: [Double]?
    /// Of the root question, on labels that were held out.
    private(set) var heldOutAUC = Double.nan

    /// Interest from which an object counts as one that was worth showing.
    static let interesting = 3.0

    private init() {}

    static let none = TaskModel()

    /// - Throws: ``ActiveLearningError`` where the first question cannot be learnt yet.
    init(
        _ tree: QuestionTree, labels: [ConsensusLabel], features: MorphologyFeatures, outlierScores: [Double],
        seed: UInt64, workers: Int
    ) throws {
        root = tree.root.name
        let usable = labels.filter { $0.row >= 0 && $0.row < features.count && $0.answer != nil }
        if tree.root.answers.contains(where: { Int($0.name) != nil }) {
            try learnInterest(usable, features, outlierScores, seed: seed)
            return
        }
        for question in tree.questions {
            var known = usable.filter { $0.question == question.name }
            // A flag is the answer 'artefact' where the question has it.
            if question.name == root, question.answer(named: QuestionTree.artefact) != nil {
                known += usable.filter { $0.question == QuestionTree.artefact }
            }
            let classes = question.answers.map(\.name).filter { name in known.contains { $0.answer == name } }
            guard classes.count > 1 else {
                if question.name == root {
                    throw ActiveLearningError(
                        .labels,
                        "'\(root)' has \(known.count) labels of \(classes.count) classes; labels of two classes are needed"
                    )
                }
                continue
            }
            let rows = known.map { (row: $0.row, label: classes.firstIndex(of: $0.answer!)!) }
            let ensemble = try HeadEnsemble(
                .init(seed: seed, workers: workers), features: features, labels: rows, classes: classes)
            ensembles[question.name] = (classes, ensemble.probabilities(Array(0..<features.count)))
            if question.name == root {
                let judged = zip(ensemble.outOfBagProbabilities(rows.map(\.row)), rows).filter { $0.0 != nil }
                heldOutAUC = Self.area(judged.map { $0.0! }, judged.map(\.1.label), classes.count)
            }
        }
    }

    /// Macro mean of the areas of one class against the rest, over classes that occur.
    static func area(_ probabilities: [[Double]], _ labels: [Int], _ classes: Int) -> Double {
        let areas = (0..<classes).map { name in
            ROCCurve(scores: probabilities.map { $0[name] }, positives: labels.map { $0 == name }).area()
        }.filter(\.isFinite)
        return areas.isEmpty ? .nan : areas.reduce(0, +) / Double(areas.count)
    }

    private mutating func learnInterest(
        _ labels: [ConsensusLabel], _ features: MorphologyFeatures, _ outlierScores: [Double], seed: UInt64
    ) throws {
        // An artefact is of no interest, whatever made it unusual.
        let scores = labels.filter { $0.question == root || $0.question == QuestionTree.artefact }.map { label in
            (row: label.row, score: Double(label.answer!) ?? 0)
        }
        let feedback = try RelevanceFeedback(features, interest: scores)
        let predictions = (0..<features.count).map { feedback.predict($0) }
        interest = predictions.map(\.interest)
        let largest = outlierScores.filter(\.isFinite).max() ?? 0
        relevance = predictions.indices.map { row in
            // Without an outlier score of the run every object counts as equally unusual.
            let score = largest > 0 ? (outlierScores[row].isFinite ? outlierScores[row] / largest : 0) : 1
            return RelevanceFeedback.combined(
                score: score, interest: predictions[row].interest, distance: predictions[row].nearest,
                scale: feedback.length)
        }
        let folds = 5
        // In random order, so that no fold holds all of what comes at a fixed distance in the table.
        var random = RandomNumbers(seed: seed, stream: 0xF01D)
        let order = random.permutation(scores.count)
        var held: [(score: Double, isPositive: Bool)] = []
        for fold in 0..<folds where scores.count >= 2 * folds {
            let training = order.indices.filter { $0 % folds != fold }.map { scores[order[$0]] }
            let judge = try RelevanceFeedback(features, interest: training)
            held += order.indices.filter { $0 % folds == fold }.map { place in
                let known = scores[order[place]]
                return (judge.predict(known.row).interest, known.score >= Self.interesting)
            }
        }
        heldOutAUC = ROCCurve(scores: held.map(\.score), positives: held.map(\.isPositive)).area()
    }

    func knows(_ question: String) -> Bool { ensembles[question] != nil || (question == root && interest != nil) }

    func members(of question: String) -> [[[Double]]]? { ensembles[question]?.members }

    func answer(_ question: String, row: Int) -> (name: String, probability: Double?)? {
        if question == root, let interest { return ("\(Int(interest[row].rounded()))", nil) }
        guard let ensemble = ensembles[question] else { return nil }
        let mean = Uncertainty.mean(ensemble.members.map { $0[row] })
        let best = mean.indices.max { mean[$0] < mean[$1] }!
        return (ensemble.classes[best], mean[best])
    }

    /// By row; nil where the question is not known.
    func answers(of question: String) -> [String?] {
        let count = interest?.count ?? ensembles[question]?.members.first?.count ?? 0
        return (0..<count).map { answer(question, row: $0)?.name }
    }
}
