import ArgumentParser
import Foundation
import Inference
import Kernels
import Outliers
import Pipelines
import Tensors

extension DistanceMetric: ExpressibleByArgument {}
extension NearestNeighbours.Products: ExpressibleByArgument {}

struct SearchBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Rate of the exact nearest-neighbour search, and rate and recall of the approximate one.",
        discussion: """
            The first vectors are searched among all of them (each is its own first neighbour). GFLOP/s count 2 · queries · \
            vectors · width; "of limit" is the share of what product instructions reach on registers alone. \
            benchmarks/outliers/knn.py runs this in turns with FAISS.

              lenticular bench search --simulate 1000000 --width 64 --queries 10000
              lenticular bench search --vectors RUN/work/embeddings.f32 --width 192 --approximate
            """)

    @Option(help: ArgumentHelp("Float32 rows, as in a run folder's work/embeddings.f32.", valueName: "file"))
    var vectors: String?

    @Option(help: "Instead: this many simulated vectors in 1000 clusters (normal, spectrum of variances 1/i).")
    var simulate: Int?

    @Option(help: "Numbers a vector.")
    var width: Int

    @Option(help: "How many of the vectors are searched for.")
    var queries = 10_000

    @Option(help: "Numbers k of neighbours, separated by commas.")
    var neighbours = "10,50"

    @Option(help: "Distance: euclidean or cosine.")
    var metric: DistanceMetric = .euclidean

    @Option(help: "Arithmetic of the products that select, separated by commas: float32, bfloat16.")
    var products = "float32,bfloat16"

    @Option(help: "Threads.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Repetitions; the best and the median are printed.")
    var repeats = 1

    @Flag(help: "Also build an approximate index (hierarchical graph) and measure its recall against the exact search.")
    var approximate = false

    @Option(help: "Links of the graph.")
    var links = 16

    @Option(help: "Candidates that are looked at when a vector is inserted.")
    var construction = 200

    @Option(help: "Candidates that are looked at in a search, separated by commas.")
    var candidates = "20,50,100,200,400"

    @Option(
        help: ArgumentHelp("Write the neighbours (int32, queries × k, the first k and products).", valueName: "file"))
    var indices: String?

    @OptionGroup var json: JSONOption

    struct Row: Encodable {
        var method: String
        var neighbours: Int
        var seconds: [Double]
        var queriesPerSecond: Double
        var gigaflops: Double?
        var shareOfLimit: Double?
        /// Queries that were searched again, and of them those exact to float32 rounding only.
        var repeated: Int?
        var undecided: Int?
        /// Share of the exact neighbours that were found.
        var recall: Double?
    }

    struct Report: Encodable {
        var program = "lenticular \(ProgramVersion.current)"
        var instructionSet = InstructionSet.best.description
        var workers: Int
        var vectors: Int
        var width: Int
        var queries: Int
        var metric: String
        /// 10⁹ operations a second of product instructions on registers alone.
        var limits: [String: Double]
        var rows: [Row] = []
        /// Seconds.
        var indexBuild: Double?
        var peakMemoryMegabytes = 0.0
    }

    func validate() throws {
        if (vectors == nil) == (simulate == nil) { throw ValidationError("give either --vectors or --simulate") }
        if width < 1 || queries < 1 || workers < 1 || repeats < 1 || (simulate ?? 1) < 1 {
            throw ValidationError("width, queries, workers, repeats and simulate must be positive")
        }
        _ = try numbers(neighbours, "--neighbours")
        _ = try numbers(candidates, "--candidates")
        for name in products.split(separator: ",") where NearestNeighbours.Products(rawValue: String(name)) == nil {
            throw ValidationError("--products: expected float32 or bfloat16, got '\(name)'")
        }
        if !(2...100).contains(links) || construction < 1 {
            throw ValidationError("--links must be 2 to 100 and --construction positive")
        }
    }

    func run() throws {
        if let vectors {
            try measure(try EmbeddingMatrix(path: vectors, width: width))
        } else {
            try measure(SimulatedClusters(count: simulate ?? 0, width: width).vectors())
        }
    }

    private func measure(_ source: some VectorSource) throws {
        let queries = source.withRows(0..<min(queries, source.count)) {
            VectorSet(count: $0.count / width, width: width, values: Array($0))
        }
        let kinds = products.split(separator: ",").compactMap { NearestNeighbours.Products(rawValue: String($0)) }
        let limits = limits(kinds)
        var report = Report(
            workers: workers, vectors: source.count, width: width, queries: queries.count, metric: metric.rawValue,
            limits: limits)
        print(
            "\(queries.count) queries among \(source.count) vectors of \(width) numbers, \(metric.rawValue), \(workers) threads, "
                + "\(report.instructionSet); product instructions reach "
                + limits.sorted { $0.key < $1.key }.map { "\($0.key) \(fixed($0.value, 0))" }.joined(separator: ", ")
                + " GFLOP/s")
        let table = TextTable([
            .init("method", 20), .init("k", 4, right: true), .init("s", 8, right: true),
            .init("median", 8, right: true), .init("queries/s", 10, right: true), .init("GFLOP/s", 8, right: true),
            .init("of limit", 8, right: true), .init("repeated", 8, right: true), .init("undecided", 9, right: true),
            .init("recall", 7, right: true),
        ])
        print(table.head)
        func add(_ row: Row) {
            report.rows.append(row)
            let sorted = row.seconds.sorted()
            print(
                table.row([
                    row.method, String(row.neighbours), fixed(sorted[0], 2), fixed(sorted[sorted.count / 2], 2),
                    fixed(row.queriesPerSecond, 0), row.gigaflops.map { fixed($0, 1) } ?? "",
                    row.shareOfLimit.map { fixed(100 * $0, 1) + " %" } ?? "", row.repeated.map(String.init) ?? "",
                    row.undecided.map(String.init) ?? "", row.recall.map { fixed($0, 4) } ?? "",
                ]))
        }
        var exact: [Int: [[Int]]] = [:]
        for (place, k) in try numbers(neighbours, "--neighbours").enumerated() {
            for (order, kind) in kinds.enumerated() {
                let (row, found) = try exactRow(queries, source, kind, k, limit: limits[kind.rawValue])
                add(row)
                exact[k] = found
                if place == 0, order == 0, let indices { try write(found, k, to: indices) }
            }
        }
        if approximate {
            let start = Date()
            let index = try ApproximateIndex(
                source, metric: metric, links: links, construction: construction, workers: workers)
            report.indexBuild = Date().timeIntervalSince(start)
            print("index of \(links) links built in \(fixed(report.indexBuild ?? 0, 1)) s")
            for k in try numbers(neighbours, "--neighbours") {
                for candidates in try numbers(candidates, "--candidates") where candidates >= k {
                    add(try approximateRow(index, queries, k, candidates, exact: exact[k] ?? []))
                }
            }
        }
        report.peakMemoryMegabytes = peakMemory()
        print("peak memory \(fixed(report.peakMemoryMegabytes, 0)) MB, mapped files among it")
        try json.write(report)
    }

    private func exactRow(
        _ queries: VectorSet, _ source: some VectorSource, _ kind: NearestNeighbours.Products, _ k: Int, limit: Double?
    ) throws -> (Row, [[Int]]) {
        var search = NearestNeighbours(count: k, metric: metric)
        search.products = kind
        search.workers = workers
        var seconds: [Double] = []
        var found: [[Int]] = []
        var statistics = NearestNeighbours.Statistics()
        for _ in 0..<repeats {
            found = []
            found.reserveCapacity(queries.count)
            let start = Date()
            statistics = try search.search(queries, among: source) { _, row in
                found.append(row.indices)
                return true
            }
            seconds.append(Date().timeIntervalSince(start))
        }
        let best = seconds.min() ?? .nan
        let rate = 2 * Double(queries.count) * Double(source.count) * Double(width) / best / 1e9
        return (
            Row(
                method: "exact \(kind.rawValue)", neighbours: k, seconds: seconds,
                queriesPerSecond: Double(queries.count) / best, gigaflops: rate, shareOfLimit: limit.map { rate / $0 },
                repeated: statistics.repeated, undecided: statistics.undecided), found
        )
    }

    private func approximateRow(
        _ index: ApproximateIndex, _ queries: VectorSet, _ k: Int, _ candidates: Int, exact: [[Int]]
    ) throws -> Row {
        var seconds: [Double] = []
        var rows: [NearestNeighbours.Row] = []
        for _ in 0..<repeats {
            let start = Date()
            rows = try index.search(queries, count: k, candidates: candidates, workers: workers)
            seconds.append(Date().timeIntervalSince(start))
        }
        let hits = zip(rows, exact).reduce(0) { $0 + Set($1.0.indices).intersection($1.1).count }
        let best = seconds.min() ?? .nan
        return Row(
            method: "graph, \(candidates) candidates", neighbours: k, seconds: seconds,
            queriesPerSecond: Double(queries.count) / best,
            recall: Double(hits) / Double(max(1, exact.reduce(0) { $0 + $1.count })))
    }

    /// Of all threads together.
    private func limits(_ kinds: [NearestNeighbours.Products]) -> [String: Double] {
        let pool = WorkerPool(threads: workers)
        var limits: [String: Double] = [:]
        for kind in kinds {
            let type = kind == .bfloat16 ? AttentionProducts.bfloat16 : .float32
            let kernels = HostKernels()
            var best = 0.0
            for _ in 0..<5 {
                let operations = UnsafeMutablePointer<Int>.allocate(capacity: workers)
                defer { operations.deallocate() }
                let start = Date()
                pool.parallelFor(workers) { operations[$0] = kernels.multiplyRegisters(type, rounds: 400_000) }
                let seconds = Date().timeIntervalSince(start)
                best = max(best, Double((0..<workers).reduce(0) { $0 + operations[$1] }) / seconds / 1e9)
            }
            limits[kind.rawValue] = best
        }
        return limits
    }

    private func numbers(_ text: String, _ option: String) throws -> [Int] {
        try text.split(separator: ",").map { part in
            guard let number = Int(part), (1...10_000).contains(number) else {
                throw ValidationError("\(option): expected numbers from 1 to 10000, got '\(part)'")
            }
            return number
        }
    }

    private func write(_ rows: [[Int]], _ k: Int, to path: String) throws {
        let numbers = rows.flatMap { row in (0..<k).map { $0 < row.count ? Int32(row[$0]) : -1 } }
        try numbers.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path), options: .atomic) }
    }

    /// Of this process so far, in 10⁶ bytes.
    private func peakMemory() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) * 1024 / 1e6
    }
}
