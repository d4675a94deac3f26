import Kernels

/// The search of one thread.
struct NeighbourTask {
    private let search: NearestNeighbours
    private let queries: RowList
    private let reference: RowList
    private let scaling: RowScaling
    private let excludesSelf: Bool
    private let kept: Int
    private let scans: [Pass]
    /// Of the last block.
    private(set) var found: [NearestNeighbours.Row] = []
    private(set) var statistics = NearestNeighbours.Statistics()

    /// A kind of products and a length of the lists; made when it is first needed.
    private final class Pass {
        let type: ElementType
        let length: Int
        let queries: Int
        var scan: NearestScan?

        init(_ type: ElementType, length: Int, queries: Int) {
            self.type = type
            self.length = length
            self.queries = queries
        }
    }

    init(
        _ search: NearestNeighbours, queries: RowList, reference: RowList, scaling: RowScaling,
        excludesSelf: Bool,
        block: Int
    ) {
        self.search = search
        self.queries = queries
        self.reference = reference
        self.scaling = scaling
        self.excludesSelf = excludesSelf
        kept = min(search.count, reference.count - (excludesSelf ? 1 : 0))
        let asked = search.count + (excludesSelf ? 1 : 0)
        var scans: [Pass] = []
        let narrow = search.products == .bfloat16 && InstructionSet.best >= .avx512BF16
        if narrow {
            scans.append(
                Pass(.bfloat16, length: Self.listLength(asked, products: .bfloat16), queries: block))
        }
        let length = Self.listLength(asked, products: .float32)
        scans.append(Pass(.float32, length: length, queries: block))
        scans.append(Pass(.float32, length: 8 * length, queries: min(block, 96)))
        self.scans = scans
    }

    /// A few more than asked for, so that the last neighbour is likely to be nearer than the error bound of what is not
    /// on the list.
    static func listLength(_ count: Int, products: NearestNeighbours.Products) -> Int {
        switch products {
        case .float32: count + max(4, count / 4)
        case .bfloat16: 2 * count + 16
        }
    }

    /// Finds the neighbours of a block of queries.
    mutating func search(_ block: Range<Int>) {
        statistics = NearestNeighbours.Statistics()
        statistics.queries = block.count
        found = [NearestNeighbours.Row](
            repeating: .init(indices: [], distances: []), count: block.count)
        var open = block.filter(queries.isFinite)
        for (number, pass) in scans.enumerated() where !open.isEmpty {
            if number > 0 { statistics.repeated = max(statistics.repeated, open.count) }
            var undecided: [Int] = []
            for start in stride(from: 0, to: open.count, by: pass.queries) {
                let part = open[start..<min(start + pass.queries, open.count)]
                undecided += run(pass, Array(part), firstQuery: block.lowerBound)
            }
            open = undecided
        }
        statistics.undecided = open.count
    }

    /// One pass over all rows; returns the queries whose neighbours are not proven.
    private mutating func run(_ pass: Pass, _ members: [Int], firstQuery: Int) -> [Int] {
        let scan =
            pass.scan
            ?? NearestScan(
                type: pass.type, mean: scaling.mean, factor: scaling.factor,
                unitLength: search.metric == .cosine,
                queries: pass.queries, kept: pass.length)
        pass.scan = scan
        scan.setQueries(members.map { queries[$0] })
        for start in stride(from: 0, to: reference.count, by: scan.columns) {
            scan.offer(
                (start..<min(start + scan.columns, reference.count)).map { reference[$0] },
                firstIndex: start)
        }
        scan.finish()
        var undecided: [Int] = []
        for (place, query) in members.enumerated() {
            let row = refine(query, scan.list(place))
            found[query - firstQuery] = row
            if !isProven(query, row, threshold: scan.threshold(place)) { undecided.append(query) }
        }
        return undecided
    }

    /// Orders candidates by their distance in float64.
    private func refine(_ query: Int, _ candidates: UnsafeBufferPointer<Int32>)
        -> NearestNeighbours.Row
    {
        let a = queries[query]
        var measured: [(position: Int, distance: Double)] = []
        measured.reserveCapacity(candidates.count)
        for candidate in candidates where !(excludesSelf && Int(candidate) == query) {
            measured.append((Int(candidate), distance(a, reference[Int(candidate)])))
        }
        measured.sort { ($0.distance, $0.position) < ($1.distance, $1.position) }
        let nearest = measured.prefix(kept)
        return .init(
            indices: nearest.map { reference.row($0.position) }, distances: nearest.map(\.distance))
    }

    private func distance(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Double {
        switch search.metric {
        case .euclidean: squaredLength(a) { Double(b[$0]) }.squareRoot() / scaling.power
        case .cosine:
            {
                var (product, aa, bb) = (0.0, 0.0, 0.0)
                for i in 0..<reference.width {
                    let (x, y) = (Double(a[i]), Double(b[i]))
                    product += x * y
                    aa += x * x
                    bb += y * y
                }
                let lengths = (aa * bb).squareRoot()
                return lengths > 0 ? max(0, 1 - product / lengths) : 1
            }()
        }
    }

    /// Of the scaled difference between a row and another point.
    private func squaredLength(_ a: UnsafePointer<Float>, from point: (Int) -> Double) -> Double {
        var sum = 0.0
        for i in 0..<reference.width {
            let difference = (Double(a[i]) - point(i)) * scaling.factor[i]
            sum += difference * difference
        }
        return sum
    }

    /// Whether no row outside the list can be nearer than the last neighbour: such a row has a score of at most the
    /// threshold.
    private func isProven(_ query: Int, _ row: NearestNeighbours.Row, threshold: Float) -> Bool {
        guard threshold > -.infinity, let last = row.distances.last else { return true }
        let threshold = Double(threshold)
        switch search.metric {
        case .cosine: return last <= 1 - threshold
        case .euclidean:
            let length = squaredLength(queries[query]) { scaling.mean[$0] }
            let last = last * scaling.power
            return last * last <= length - 2 * threshold - 1e-14 * (length + 2 * abs(threshold))
        }
    }
}
