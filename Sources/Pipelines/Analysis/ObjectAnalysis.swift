import AstroIO
import Datasets

/// A stage that looks at one object at a time and adds columns to the catalog.
///
/// Any number of worker threads use one at the same time.
protocol ObjectAnalysis: Sendable {
    /// The stage's place in run files and failure tables.
    var stage: StageKind { get }
    /// What it adds to the catalog.
    var columns: [ColumnDescription] { get }
    /// One value a column. Files of the object's own go into the run's folder.
    ///
    /// - Throws: any error: the object's columns stay empty then, and the reason goes to the failures table.
    func values(of object: AnalysedObject) throws -> [AnalysisValue]
    /// Network files it uses, for the run's provenance.
    var modelPaths: [String] { get }
}

/// What an analysis is given.
struct AnalysedObject: Sendable {
    var files: ObjectFiles
    /// The whole image, with the bands that the run selects.
    var image: Image
    /// The run's own stamp of it, and how that was made.
    var stamp: Stamp
    var normalization: StampNormalization
}

/// A cell of the catalog as it travels through the journal.
enum AnalysisValue: Codable, Sendable, Equatable {
    /// NaN and infinities become missing: JSON has neither.
    case number(Double)
    case text(String)
    case missing

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .missing
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let value) where value.isFinite: try container.encode(value)
        case .text(let text): try container.encode(text)
        default: try container.encodeNil()
        }
    }

    /// One cell of a column.
    init(_ column: ColumnValues, row: Int) {
        switch column {
        case .string(let cells): self = cells[row].map { .text($0) } ?? .missing
        case .int32(let cells): self = cells[row].map { .number(Double($0)) } ?? .missing
        case .float(let cells): self = cells[row].isFinite ? .number(Double(cells[row])) : .missing
        case .double(let cells): self = cells[row].isFinite ? .number(cells[row]) : .missing
        default: preconditionFailure("[analysis] a column of this type is not supported")
        }
    }

    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var text: String? { if case .text(let value) = self { value } else { nil } }
}

extension ColumnDescription {
    /// The column's values from the cells of an analysis.
    func values(_ cells: [AnalysisValue?]) -> ColumnValues {
        switch type {
        case .string: .string(cells.map { $0?.text })
        case .int32: .int32(cells.map { $0?.number.flatMap { Int32(exactly: $0.rounded()) } })
        case .float: .float(cells.map { $0?.number.map { Float($0) } ?? .nan })
        case .double: .double(cells.map { $0?.number ?? .nan })
        default: preconditionFailure("[analysis] a column of type \(type) is not supported")
        }
    }
}
