import Datasets
import Foundation
import Synchronization
import Testing

@Suite("Ordered stream")
struct OrderedStreamTests {
    struct Broken: Error {}

    @Test("results come in the order of the pieces, each once", arguments: [1, 2, 7, 500])
    func order(count: Int) throws {
        let stream = OrderedStream(readers: 3, workers: 2)
        var seen: [Int] = []
        try stream.run(
            count: count,
            load: { piece in
                if piece % 5 == 0 { usleep(200) }
                return piece * 10
            },
            process: { _, loaded in
                if loaded % 30 == 0 { usleep(300) }
                return loaded + 1
            },
            write: { piece, result in
                #expect(result == piece * 10 + 1)
                seen.append(piece)
                return true
            })
        #expect(seen == Array(0..<count))
    }

    @Test("no more pieces are in flight than there are permits, even when the writer is slow")
    func bounded() throws {
        let stream = OrderedStream(readers: 4, workers: 2, piecesInFlight: 8)
        let inFlight = Mutex((now: 0, most: 0))
        try stream.run(
            count: 200,
            load: { piece in
                inFlight.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                return piece
            },
            process: { _, loaded in loaded },
            write: { _, _ in
                usleep(300)
                inFlight.withLock { $0.now -= 1 }
                return true
            })
        #expect(inFlight.withLock { $0.most } <= 8)
        #expect(inFlight.withLock { $0.now } == 0)
    }

    @Test("a worker number is used by one thread at a time")
    func workers() throws {
        let busy = Mutex([false, false, false])
        try OrderedStream(readers: 1, workers: 3).run(
            count: 300, load: { $0 },
            process: { worker, piece in
                busy.withLock {
                    #expect(!$0[worker])
                    $0[worker] = true
                }
                usleep(50)
                busy.withLock { $0[worker] = false }
                return piece
            },
            write: { _, _ in true })
    }

    @Test("an error of any step ends the stream and reaches the caller", arguments: ["load", "process", "write"])
    func errors(step: String) {
        #expect(throws: Broken.self) {
            try OrderedStream(readers: 2, workers: 2).run(
                count: 1000,
                load: { piece in if step == "load" && piece == 17 { throw Broken() } else { piece } },
                process: { _, piece in if step == "process" && piece == 17 { throw Broken() } else { piece } },
                write: { piece, _ in if step == "write" && piece == 17 { throw Broken() } else { true } })
        }
    }

    @Test("a writer that has enough stops the stream without an error")
    func stop() throws {
        let loaded = Mutex(0)
        var written = 0
        try OrderedStream(readers: 2, workers: 2).run(
            count: 100_000,
            load: { piece in
                loaded.withLock { $0 += 1 }
                return piece
            },
            process: { _, piece in piece },
            write: { _, _ in
                written += 1
                return written < 10
            })
        #expect(written == 10)
        #expect(loaded.withLock { $0 } < 100)
    }
}
