public import AstroIO
public import Datasets
import Foundation

/// Objects with their vectors, in the order in which they were given.
public struct StampCollection: Sendable {
    /// What is known of an object.
    public struct Row: Sendable {
        public var object: ObjectFiles
        public var position: (ra: Double, dec: Double)?
        public var imageWidth: Int
        public var imageHeight: Int
        public var bands: [String]
        public var pixelScale: Double?
        public var maskFraction: Float
        public var flags: QualityFlags

        /// Whether the object can be ranked, see ``StampDefects``.
        public var isUsable: Bool { flags.isDisjoint(with: StampDefects.flags) }

        public init(
            object: ObjectFiles, position: (ra: Double, dec: Double)?, imageWidth: Int, imageHeight: Int,
            bands: [String], pixelScale: Double?, maskFraction: Float, flags: QualityFlags
        ) {
            self.object = object
            self.position = position
            self.imageWidth = imageWidth
            self.imageHeight = imageHeight
            self.bands = bands
            self.pixelScale = pixelScale
            self.maskFraction = maskFraction
            self.flags = flags
        }
    }

    public private(set) var rows: [Row] = []
    /// A vector for each row; numbers of defects have no meaning.
    public private(set) var vectors: VectorSet
    /// Objects without a stamp, and why.
    public private(set) var failures: [(object: ObjectFiles, error: StampError)] = []
    /// Whether reading was stopped before its end.
    public private(set) var isInterrupted = false

    /// Rows and vectors that are known.
    public init(rows: [Row], vectors: VectorSet) {
        precondition(rows.count == vectors.count, "[StampCollection] expected a vector a row")
        self.rows = rows
        self.vectors = vectors
    }

    /// Reads objects and makes their vectors, on several threads.
    ///
    /// - Parameter progress: called with the numbers of objects done and failed; returning false stops.
    public init(
        _ objects: [ObjectFiles], encoder: StampEncoder, workers: Int, progress: (Int, Int) -> Bool = { _, _ in true }
    ) throws {
        let reader = StampReader(normalization: encoder.normalization)
        let (batch, channels, width) = (32, encoder.normalization.channels, encoder.width)
        var rows: [Row] = []
        var values: [Float] = []
        var failures: [(object: ObjectFiles, error: StampError)] = []
        var stopped = false
        try OrderedStream(readers: max(1, workers / 2), workers: workers).run(
            count: (objects.count + batch - 1) / batch,
            load: { piece in
                objects[(piece * batch)..<min((piece + 1) * batch, objects.count)].map { object in
                    (object, Result { () throws(StampError) in try reader.stamp(of: object) })
                }
            },
            process: { _, loaded -> (rows: [Row], values: [Float], failures: [(ObjectFiles, StampError)]) in
                var result: (rows: [Row], values: [Float], failures: [(ObjectFiles, StampError)]) = ([], [], [])
                var stamps: [Float] = []
                for (object, stamp) in loaded {
                    switch stamp {
                    case .success(let stamp):
                        result.rows.append(Row(object, stamp, channels: channels))
                        stamps += stamp.values
                    case .failure(let error): result.failures.append((object, error))
                    }
                }
                result.values = encoder.vectors(stamps, count: result.rows.count)
                for index in result.rows.indices
                where !result.values[(index * width)..<((index + 1) * width)].allSatisfy(\.isFinite) {
                    result.rows[index].flags.insert(.nonFiniteEmbedding)
                }
                return result
            },
            write: { _, result in
                rows += result.rows
                values += result.values
                failures += result.failures.map { (object: $0.0, error: $0.1) }
                stopped = !progress(rows.count + failures.count, failures.count)
                return !stopped
            })
        self.rows = rows
        self.failures = failures
        vectors = VectorSet(count: rows.count, width: width, values: values)
        isInterrupted = stopped
    }

    /// The vectors of some rows.
    public func vectors(of chosen: [Int]) -> VectorSet {
        let width = vectors.width
        return VectorSet(
            count: chosen.count, width: width,
            values: chosen.flatMap { vectors.values[($0 * width)..<(($0 + 1) * width)] })
    }

    /// Rows that can be ranked.
    public var usable: [Int] { rows.indices.filter { rows[$0].isUsable } }
}

extension StampCollection.Row {
    init(_ object: ObjectFiles, _ stamp: Stamp, channels: Int) {
        self.init(
            object: object, position: stamp.position, imageWidth: stamp.imageWidth, imageHeight: stamp.imageHeight,
            bands: stamp.bands, pixelScale: stamp.pixelScale, maskFraction: stamp.maskFraction,
            flags: StampDefects.flags(of: stamp, channels: channels))
    }
}
