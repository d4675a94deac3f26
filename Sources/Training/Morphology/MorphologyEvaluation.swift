public import Models

/// How good a model's answers are on labelled images that it was not trained on.
public struct MorphologyEvaluation: Sendable, Codable {
    /// What was measured.
    public struct Group: Sendable, Codable {
        /// `all`, or the name of a class, label or question.
        public var name: String
        /// Images that have a truth for it.
        public var images: Int
        public var metrics: [String: MetricInterval]
    }

    public var images: Int
    /// `all` first where there is an overall figure.
    public var groups: [Group]
    /// Of classes: rows true, columns predicted.
    public var confusion: [[Double]]?

    /// - Parameters:
    ///   - answers: for each test image.
    ///   - truths: labels of each test image, ``MorphologyTarget/labelWidth`` numbers each.
    ///   - training: labels of the training images: the baselines come from them.
    public init(
        _ target: MorphologyTarget, answers: [MorphologyAnswer], truths: [ArraySlice<Float>],
        training: [ArraySlice<Float>], bootstrap: Bootstrap = Bootstrap()
    ) {
        images = answers.count
        groups = []
        let curves = MorphologyCurves(target, answers: answers, truths: truths, training: training)
        switch target {
        case .classes(let names):
            let metrics = curves.classes!
            confusion = metrics.confusion()
            groups.append(
                Group(name: "all", images: images, metrics: bootstrap.intervals(count: images, metrics.values)))
            for (place, name) in names.enumerated() {
                let matrix = metrics.confusion()
                let single = bootstrap.intervals(count: images) { weights in
                    let matrix = metrics.confusion(weights: weights)
                    let (truth, found) = (matrix[place].reduce(0, +), matrix.reduce(0) { $0 + $1[place] })
                    return [
                        "auc": metrics.curve(of: place).area(weights: weights),
                        "recall": matrix[place][place] / truth, "precision": matrix[place][place] / found,
                    ]
                }
                groups.append(Group(name: name, images: Int(matrix[place].reduce(0, +)), metrics: single))
            }
        case .labels, .tree:
            for (name, labels) in curves.labels {
                groups.append(
                    Group(
                        name: name, images: labels.count,
                        metrics: bootstrap.intervals(count: labels.count, labels.values)))
            }
            for (name, votes) in curves.votes {
                groups.append(
                    Group(
                        name: name, images: votes.count, metrics: bootstrap.intervals(count: votes.count, votes.values))
                )
            }
        }
    }
}

/// The metrics behind an evaluation, for tables and figures.
public struct MorphologyCurves: Sendable {
    public private(set) var classes: ClassMetrics?
    public private(set) var labels: [(name: String, metrics: LabelMetrics)] = []
    public private(set) var votes: [(name: String, metrics: VoteMetrics)] = []
    /// Predicted and observed fractions of all answers of a tree, for the galaxies that were asked.
    public private(set) var fractions: [(name: String, reliability: Reliability)] = []

    public init(
        _ target: MorphologyTarget, answers: [MorphologyAnswer], truths: [ArraySlice<Float>],
        training: [ArraySlice<Float>]
    ) {
        func cell(_ truth: ArraySlice<Float>, _ place: Int) -> Double { Double(truth[truth.startIndex + place]) }
        switch target {
        case .classes(let names):
            classes = ClassMetrics(
                probabilities: answers.flatMap(\.values), labels: truths.map { Int($0.first!) }, classCount: names.count
            )
        case .labels(let names):
            for (place, name) in names.enumerated() {
                let known = truths.indices.filter { !cell(truths[$0], place).isNaN }
                let trained = training.map { cell($0, place) }.filter { !$0.isNaN }
                guard !known.isEmpty else { continue }
                labels.append(
                    (
                        name,
                        LabelMetrics(
                            probabilities: known.map { answers[$0].values[place] },
                            truths: known.map { cell(truths[$0], place) },
                            base: trained.reduce(0, +) / Double(max(1, trained.count)))
                    ))
            }
        case .tree(let tree):
            for (question, range) in zip(tree.questions, tree.answerRanges) {
                func votesOf(_ truth: ArraySlice<Float>) -> [Double] { range.map { cell(truth, $0) } }
                let asked = truths.indices.filter { votesOf(truths[$0]).contains { $0 > 0 } }
                let trained = training.map(votesOf).filter { $0.contains { $0 > 0 } }
                guard !asked.isEmpty, !trained.isEmpty else { continue }
                let baseline = VoteBaseline(trained)
                votes.append(
                    (
                        question.name,
                        VoteMetrics(
                            fractions: asked.flatMap { answers[$0].values[range] },
                            concentrations: asked.flatMap { answers[$0].concentrations[range] },
                            votes: asked.flatMap { votesOf(truths[$0]) }, base: baseline.fractions,
                            baseConcentrations: baseline.concentrations)
                    ))
                let observed = asked.flatMap { index in
                    let cells = votesOf(truths[index])
                    let total = cells.reduce(0, +)
                    return cells.map { $0 / total }
                }
                fractions.append(
                    (
                        question.name,
                        Reliability(probabilities: asked.flatMap { answers[$0].values[range] }, outcomes: observed)
                    ))
            }
        }
    }
}

/// What one would say of every galaxy without looking: the fractions among all votes, and the total concentration under which the
/// votes of the galaxies are most likely.
struct VoteBaseline {
    let fractions: [Double]
    let concentrations: [Double]

    /// - Parameter votes: of each galaxy that was asked.
    init(_ votes: [[Double]]) {
        let sums = votes[0].indices.map { place in votes.reduce(0) { $0 + $1[place] } }
        // Half a vote more each, so that nothing is impossible.
        let total = sums.reduce(0, +) + 0.5 * Double(sums.count)
        let fractions = sums.map { ($0 + 0.5) / total }
        let scale = CalibrationFit.minimise { factor in
            -votes.reduce(0) { sum, cells in
                sum + VoteMetrics.dirichletMultinomial(cells, fractions.map { $0 * 10 * factor })
            }
        }
        self.fractions = fractions
        concentrations = fractions.map { $0 * 10 * scale }
    }
}
