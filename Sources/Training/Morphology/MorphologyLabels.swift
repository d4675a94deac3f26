public import Datasets
public import Models

/// Images with what is known of them, joined from a table.
public struct MorphologyLabels: Sendable {
    /// What the labels are of.
    public let target: MorphologyTarget
    /// Images that have a label, in the order in which they were found.
    public let objects: [ObjectFiles]
    /// Objects × ``MorphologyTarget/labelWidth``: the place of the class; a value a label, NaN where unknown; votes an answer.
    public let values: [Float]
    /// The text of the split column for each object; nil without one.
    public let parts: [String?]
    /// Rows that could not be used, with the reason.
    public let failures: [LabelFailure]
    /// Rows without a label, which is no failure.
    public let unlabelledRows: Int
    /// Images without a row.
    public let unlabelledImages: Int
    /// Rows that repeat what another row says.
    public let repeatedRows: Int

    package init(
        target: MorphologyTarget, objects: [ObjectFiles], values: [Float], parts: [String?],
        failures: [LabelFailure] = [],
        unlabelledRows: Int = 0, unlabelledImages: Int = 0, repeatedRows: Int = 0
    ) {
        self.target = target
        self.objects = objects
        self.values = values
        self.parts = parts
        self.failures = failures
        self.unlabelledRows = unlabelledRows
        self.unlabelledImages = unlabelledImages
        self.repeatedRows = repeatedRows
    }

    public var count: Int { objects.count }
    public var width: Int { target.labelWidth }

    /// What is known of an object.
    public func value(_ index: Int) -> ArraySlice<Float> { values[(index * width)..<((index + 1) * width)] }

    /// All but some images.
    public func without(_ dropped: Set<Int>) -> MorphologyLabels {
        let kept = objects.indices.filter { !dropped.contains($0) }
        return MorphologyLabels(
            target: target, objects: kept.map { objects[$0] }, values: kept.flatMap { value($0) },
            parts: kept.map { parts[$0] }, failures: failures, unlabelledRows: unlabelledRows,
            unlabelledImages: unlabelledImages, repeatedRows: repeatedRows)
    }

    /// Objects of each class (or votes an answer, or known values a label).
    public var counts: [Double] {
        switch target {
        case .classes(let names):
            var counts = [Double](repeating: 0, count: names.count)
            for value in values { counts[Int(value)] += 1 }
            return counts
        case .labels(let names):
            return names.indices.map { label in
                Double((0..<count).count { !values[$0 * width + label].isNaN })
            }
        case .tree:
            return (0..<width).map { answer in (0..<count).reduce(0) { $0 + Double(values[$1 * width + answer]) } }
        }
    }
}

/// A row of a label table that could not be used.
public struct LabelFailure: Sendable, Equatable {
    /// Row of the table, 1 for the first after the header.
    public var row: Int
    public var id: String
    public var reason: String

    public init(row: Int, id: String, reason: String) {
        self.row = row
        self.id = id
        self.reason = reason
    }
}

/// How the columns of a table are to be read as labels.
public enum LabelColumns: Sendable, Equatable {
    /// One column with the name of a class.
    ///
    /// - Parameters:
    ///   - classes: the classes there are, in order; all that occur, by name, when empty.
    ///   - merged: other names of classes, such as `spiral_clockwise` for `spiral`.
    case classes(column: String, classes: [String] = [], merged: [String: String] = [:])
    /// Columns with 0 or 1, or values between; what lies outside 0 … 1 or is missing is not known.
    case labels([String])
    /// Columns with votes.
    ///
    /// - Parameter campaign: what stands behind a question's name, such as `dr5` of `bar-dr5_strong`.
    case tree(DecisionTree, campaign: String? = nil)
}
