import Foundation
import TestSupport
import Testing

@testable import Outliers

@Suite("Approximate index")
struct SearchIndexTests {
    static let vectors = SimulatedClusters(count: 4000, width: 24).vectors()

    @Test("a well-built graph finds nearly all true neighbours", arguments: DistanceMetric.allCases)
    func recall(metric: DistanceMetric) throws {
        let index = try ApproximateIndex(Self.vectors, metric: metric, construction: 100, workers: 2)
        #expect(index.count == 4000)
        let queries = VectorSet(count: 300, width: 24, values: Array(Self.vectors.values.prefix(300 * 24)))
        let (exact, _) = try SearchTests.found(
            NearestNeighbours(count: 10, metric: metric), queries, among: Self.vectors)
        var recalls: [Double] = []
        for candidates in [10, 100] {
            let rows = try index.search(queries, count: 10, candidates: candidates, workers: 2)
            let hits = zip(rows, exact).reduce(0) { $0 + Set($1.0.indices).intersection($1.1.indices).count }
            recalls.append(Double(hits) / 3000)
            for (row, truth) in zip(rows, exact) {
                #expect(row.indices.count == 10)
                #expect(row.distances == row.distances.sorted())
                // What is found has the distance that it has (squares of float32 differences, for cosine below 1e-6).
                for (place, number) in row.indices.enumerated() {
                    if let other = truth.indices.firstIndex(of: number) {
                        #expect(
                            abs(row.distances[place] - truth.distances[other]) < 1e-4 * truth.distances[other] + 1e-6)
                    }
                }
            }
        }
        #expect(recalls[0] > 0.8)
        #expect(recalls[1] > 0.99)
    }

    @Test("one worker builds the same graph from the same seed, and a saved graph finds the same")
    func files() throws {
        try withTemporaryFolder { folder in
            let set = VectorSet(count: 500, width: 24, values: Array(Self.vectors.values.prefix(500 * 24)))
            let index = try ApproximateIndex(set, workers: 1)
            try index.save(to: folder + "/a.hnsw")
            try ApproximateIndex(set, workers: 1).save(to: folder + "/b.hnsw")
            let bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/a.hnsw"))
            #expect(try bytes == Data(contentsOf: URL(fileURLWithPath: folder + "/b.hnsw")))
            let loaded = try ApproximateIndex(path: folder + "/a.hnsw")
            #expect(loaded.count == 500 && loaded.width == 24 && loaded.metric == .euclidean)
            #expect(
                try loaded.search(set, count: 5, candidates: 50) == index.search(set, count: 5, candidates: 50))
        }
    }

    @Test("a file that is no graph, cut off or changed is an error, not a crash")
    func brokenFiles() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/graph"
            let set = VectorSet(count: 200, width: 24, values: Array(Self.vectors.values.prefix(200 * 24)))
            try ApproximateIndex(set, links: 4, workers: 1).save(to: path)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            let description = try String(contentsOfFile: path + ".json", encoding: .utf8)
            func isInvalid(_ data: Data) throws -> Bool {
                try data.write(to: URL(fileURLWithPath: path))
                try description.replacing("\(bytes.count)", with: "\(data.count)").write(
                    toFile: path + ".json", atomically: true, encoding: .utf8)
                do { _ = try ApproximateIndex(path: path) } catch { return error.kind == .invalidFile }
                return false
            }
            #expect(try !isInvalid(bytes))
            #expect(try isInvalid(Data()))
            #expect(try isInvalid(bytes.prefix(50)))
            #expect(try isInvalid(bytes.dropLast(1)))
            #expect(try isInvalid(bytes + [0]))
            #expect(try isInvalid(Data(repeating: 7, count: bytes.count)))
            // Each number of the head, and the first link of the first element, made huge.
            for place in Array(stride(from: 0, to: 96, by: 4)) + [100] {
                var changed = bytes
                for i in 0..<4 { changed[place + i] = 0xFF }
                try changed.write(to: URL(fileURLWithPath: path))
                if let index = try? ApproximateIndex(path: path) {
                    // Numbers that only insertion uses may be anything.
                    #expect(try index.search(set, count: 3, candidates: 10).count == 200)
                }
            }
            try? FileManager.default.removeItem(atPath: path + ".json")
            #expect { try ApproximateIndex(path: path) } throws: { ($0 as? OutlierError)?.kind == .invalidFile }
        }
    }

    @Test("defects are left out, and a set without usable vectors is an error")
    func defects() throws {
        let set = VectorSet(count: 5, width: 2, values: [0, 0, .nan, 1, 1, 1, 2, 2.5, 4, .infinity])
        #expect(try ApproximateIndex(set).count == 3)
        let cosine = try ApproximateIndex(set, metric: .cosine)
        #expect(cosine.count == 2)
        let rows = try cosine.search(set, count: 3, candidates: 10)
        #expect(rows.map(\.indices.count) == [0, 0, 2, 2, 0])
        #expect(rows[3].indices == [3, 2])
        let nothing = VectorSet(count: 1, width: 2, values: [.nan, 0])
        #expect { try ApproximateIndex(nothing) } throws: { ($0 as? OutlierError)?.kind == .tooFewVectors }
        let wide = VectorSet(count: 1, width: 3, values: [1, 2, 3])
        #expect { try cosine.search(wide, count: 1, candidates: 1) } throws: {
            ($0 as? OutlierError)?.kind == .widthMismatch
        }
    }
}
