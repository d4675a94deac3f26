internal import CKernels

/// Best scores of a block of queries among rows that are offered panel by panel, without a matrix of distances.
///
/// A row x becomes x' = (x − mean) · factor, or x' / |x'|. The score of a query a and a row b is a'·b' − |b'|²/2, or the
/// product alone with unit length: the larger, the nearer. Scores are raised by a bound of their rounding errors (of
/// Cauchy and Schwarz's kind, from the lengths and, in bfloat16, the lengths of what rounding cut off), so that they are
/// never below the score in exact arithmetic: a row that is not on a query's list has a true score of at most its
/// ``threshold(_:)``.
///
/// Belongs to one thread.
public final class NearestScan {
    /// Rows that ``offer(_:firstIndex:)`` takes at once.
    public let columns: Int
    /// Queries that ``setQueries(_:)`` takes.
    public let capacity: Int

    private let kernels: HostKernels
    private let storage: ElementType
    private let width: Int
    private let steps: Int
    private let unitLength: Bool
    private let kept: Int
    private let listCapacity: Int
    private let groups: Int
    private var activeGroups = 0
    private let numbers: UnsafeMutableRawPointer
    private let queries: UnsafeMutablePointer<Float>
    private let panel: UnsafeMutablePointer<Float>
    private let start: UnsafeMutablePointer<Float>
    private let thresholds: UnsafeMutablePointer<Float>
    private let scores: UnsafeMutablePointer<Float>
    private let scratch: UnsafeMutablePointer<Float>
    private let counts: UnsafeMutablePointer<Int32>
    private let indices: UnsafeMutablePointer<Int32>
    private let mean: [Double]
    private let factor: [Double]

    /// Queries of a group that is scored together.
    public static let groupSize = Int(kernel_nearest_queries)

    /// - Parameters:
    ///   - type: of the products; sums are float32.
    ///   - mean, factor: one number a column of the rows.
    ///   - queries: queries of a block, at most.
    ///   - kept: length of a query's list, at least one.
    public init(
        _ kernels: HostKernels = HostKernels(), type: ElementType, mean: [Double], factor: [Double], unitLength: Bool,
        queries: Int, kept: Int
    ) {
        precondition(
            mean.count == factor.count && queries > 0 && kept > 0,
            "[NearestScan] expected equally many means and factors, queries and a list")
        self.kernels = kernels
        storage = type
        width = mean.count
        self.mean = mean
        self.factor = factor
        self.unitLength = unitLength
        self.kept = kept
        columns = Int(kernels.table.pointee.nearest_columns())
        steps = Int(kernel_nearest_steps(type.kernelType, Int64(width)))
        groups = (queries + Self.groupSize - 1) / Self.groupSize
        capacity = groups * Self.groupSize
        listCapacity = kept + 2 * columns
        // One allocation, each part aligned to a cache line.
        var places: [Int] = []
        var total = 0
        for count in [
            capacity * steps, columns * steps, columns, capacity, capacity * listCapacity, width + 1, capacity,
            capacity * listCapacity,
        ] {
            places.append(total)
            total += (count * 4 + 63) / 64 * 64
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: 64)
        func floats(_ part: Int) -> UnsafeMutablePointer<Float> {
            (memory + places[part]).assumingMemoryBound(to: Float.self)
        }
        numbers = memory
        self.queries = floats(0)
        panel = floats(1)
        start = floats(2)
        thresholds = floats(3)
        scores = floats(4)
        scratch = floats(5)
        counts = (memory + places[6]).assumingMemoryBound(to: Int32.self)
        indices = (memory + places[7]).assumingMemoryBound(to: Int32.self)
    }

    deinit { numbers.deallocate() }

    /// Begins a block of queries, each a pointer to a row, with empty lists. A query that is not finite counts as zero.
    public func setQueries(_ rows: [UnsafePointer<Float>]) {
        precondition(rows.count <= capacity, "[NearestScan] expected at most \(capacity) queries, got \(rows.count)")
        activeGroups = (rows.count + Self.groupSize - 1) / Self.groupSize
        for group in 0..<activeGroups {
            let members = rows[(group * Self.groupSize)..<min((group + 1) * Self.groupSize, rows.count)]
            pack(Array(members), columns: Self.groupSize, isQuery: true, into: queries + group * steps * Self.groupSize)
        }
        thresholds.update(repeating: -.infinity, count: capacity)
        counts.update(repeating: 0, count: capacity)
        // Places of the last group without a query: nothing passes.
        for query in rows.count..<max(rows.count, activeGroups * Self.groupSize) { thresholds[query] = .infinity }
    }

    /// Offers at most ``columns`` rows to every query; row i is called `firstIndex + i`. Rows that are not finite are
    /// never taken.
    public func offer(_ rows: [UnsafePointer<Float>], firstIndex: Int) {
        precondition(rows.count <= columns, "[NearestScan] expected at most \(columns) rows, got \(rows.count)")
        pack(rows, columns: columns, isQuery: false, into: panel)
        var problem = problem(firstIndex: firstIndex)
        kernels.table.pointee.nearest_scan(&problem)
    }

    /// Ends the block: cuts every list to its length.
    public func finish() {
        var problem = problem(firstIndex: 0)
        kernel_nearest_finish(&problem)
    }

    /// What was kept for a query, in no order.
    public func list(_ query: Int) -> UnsafeBufferPointer<Int32> {
        UnsafeBufferPointer(start: indices + query * listCapacity, count: Int(counts[query]))
    }

    /// What no row outside the list exceeds in exact arithmetic; −∞ where every finite row is on it.
    public func threshold(_ query: Int) -> Float { thresholds[query] }

    private func pack(
        _ rows: [UnsafePointer<Float>], columns: Int, isQuery: Bool, into packed: UnsafeMutablePointer<Float>
    ) {
        mean.withUnsafeBufferPointer { mean in
            factor.withUnsafeBufferPointer { factor in
                var packing = kernel_nearest_packing()
                packing.type = storage.kernelType
                packing.width = Int64(width)
                packing.columns = Int64(columns)
                packing.is_query = isQuery
                packing.unit_length = unitLength
                packing.mean = mean.baseAddress
                packing.factor = factor.baseAddress
                packing.scratch = scratch
                packing.packed = UnsafeMutableRawPointer(packed)
                packing.start = isQuery ? nil : start
                rows.map(Optional.some).withUnsafeBufferPointer {
                    kernel_nearest_pack(&packing, $0.baseAddress, Int64(rows.count))
                }
            }
        }
    }

    private func problem(firstIndex: Int) -> kernel_nearest {
        var problem = kernel_nearest()
        problem.queries = UnsafeRawPointer(queries)
        problem.groups = Int64(activeGroups)
        problem.panel = UnsafeRawPointer(panel)
        problem.start = UnsafePointer(start)
        problem.steps = Int64(steps)
        problem.type = storage.kernelType
        problem.first_index = Int32(firstIndex)
        problem.thresholds = thresholds
        problem.counts = counts
        problem.scores = scores
        problem.indices = indices
        problem.capacity = Int64(listCapacity)
        problem.kept = Int64(kept)
        return problem
    }
}
