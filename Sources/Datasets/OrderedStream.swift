import Foundation

/// Runs a three-step assembly line over numbered pieces of work: `load` on reader threads, `process` on
/// worker threads, `write` on the calling thread, in the order of the numbers.
///
/// The three steps overlap, and memory stays bounded whatever the number of pieces: at most
/// `piecesInFlight` pieces are between the start of `load` and the end of `write`, because a reader waits for
/// a permit before it starts a new piece. Permits are handed out in the order of the pieces, so the piece that
/// the writer waits for always has one: the line cannot block itself.
///
/// The first error thrown by any step stops the line: no new piece starts, those in flight are dropped and the
/// error is thrown to the caller. What may fail for one object only belongs into the loaded value, not into an
/// error.
public struct OrderedStream: Sendable {
    /// Threads that run `load`.
    public var readers: Int
    /// Threads that run `process`.
    public var workers: Int
    /// Pieces that may be in memory at once.
    public var piecesInFlight: Int

    /// A line with `readers` + `workers` threads; `piecesInFlight` is at least one more than both together, so
    /// that no thread idles while the writer writes.
    public init(readers: Int, workers: Int, piecesInFlight: Int? = nil) {
        precondition(readers > 0 && workers > 0, "[OrderedStream] expected at least one reader and one worker")
        self.readers = readers
        self.workers = workers
        self.piecesInFlight = max(piecesInFlight ?? 0, readers + workers + 1)
    }

    /// Runs pieces `0 ..< count`.
    ///
    /// - Parameters:
    ///   - load: piece number → loaded value; called from several threads at once.
    ///   - process: worker number (`0 ..< workers`), loaded value → result; a worker number is used by one
    ///     thread only, so that a worker may own state such as a model's scratch memory.
    ///   - write: result of piece 0, 1, 2, …; called on the calling thread. Returning `false` ends the line
    ///     early without an error (the user asked to stop).
    /// - Throws: the first error of any step.
    public func run<Loaded: Sendable, Result: Sendable>(
        count: Int,
        load: @escaping @Sendable (Int) throws -> Loaded,
        process: @escaping @Sendable (_ worker: Int, Loaded) throws -> Result,
        write: (Int, Result) throws -> Bool
    ) throws {
        guard count > 0 else { return }
        let line = AssemblyLine<Loaded, Result>(count: count, permits: piecesInFlight)
        var threads: [Thread] = []
        for _ in 0..<readers {
            threads.append(
                Thread {
                    while let piece = line.nextPieceToLoad() {
                        do { line.put(loaded: try load(piece), piece: piece) } catch { line.fail(error) }
                    }
                    line.threadEnded()
                })
        }
        for worker in 0..<workers {
            threads.append(
                Thread {
                    while let (piece, loaded) = line.nextPieceToProcess() {
                        do { line.put(result: try process(worker, loaded), piece: piece) } catch { line.fail(error) }
                    }
                    line.threadEnded()
                })
        }
        for thread in threads {
            thread.stackSize = 8 << 20
            thread.start()
        }
        defer {
            line.stop()
            line.waitForThreads(threads.count)
        }
        for piece in 0..<count {
            let result = try line.takeResult(piece: piece)
            if try !write(piece, result) { return }
            line.returnPermit()
        }
    }
}

/// The shared state of one run: everything is guarded by `condition`, which is why it may cross threads.
private final class AssemblyLine<Loaded: Sendable, Result: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let count: Int
    private var permits: Int
    private var nextPiece = 0
    private var loaded: [(Int, Loaded)] = []
    private var results: [Int: Result] = [:]
    private var error: (any Error)?
    private var stopped = false
    private var ended = 0

    init(count: Int, permits: Int) {
        self.count = count
        self.permits = permits
    }

    private func locked<T>(_ body: () throws -> T) rethrows -> T {
        condition.lock()
        defer { condition.unlock() }
        return try body()
    }

    func nextPieceToLoad() -> Int? {
        locked {
            while permits == 0 && !stopped && nextPiece < count { condition.wait() }
            guard !stopped, nextPiece < count else { return nil }
            permits -= 1
            nextPiece += 1
            // The last piece is out: readers that wait for a permit have nothing left to wait for.
            if nextPiece == count { condition.broadcast() }
            return nextPiece - 1
        }
    }

    func put(loaded value: Loaded, piece: Int) {
        locked {
            loaded.append((piece, value))
            condition.broadcast()
        }
    }

    func nextPieceToProcess() -> (Int, Loaded)? {
        locked {
            while loaded.isEmpty && !stopped { condition.wait() }
            guard !stopped else { return nil }
            // The lowest number first: it is what the writer waits for.
            let first = loaded.indices.min { loaded[$0].0 < loaded[$1].0 }!
            return loaded.remove(at: first)
        }
    }

    func put(result: Result, piece: Int) {
        locked {
            results[piece] = result
            condition.broadcast()
        }
    }

    func takeResult(piece: Int) throws -> Result {
        try locked {
            while results[piece] == nil && error == nil { condition.wait() }
            if let error { throw error }
            return results.removeValue(forKey: piece)!
        }
    }

    func returnPermit() {
        locked {
            permits += 1
            condition.broadcast()
        }
    }

    func fail(_ failure: any Error) {
        locked {
            if error == nil { error = failure }
            stopped = true
            condition.broadcast()
        }
    }

    func stop() {
        locked {
            stopped = true
            condition.broadcast()
        }
    }

    func threadEnded() {
        locked {
            ended += 1
            condition.broadcast()
        }
    }

    func waitForThreads(_ number: Int) {
        locked { while ended < number { condition.wait() } }
    }
}
