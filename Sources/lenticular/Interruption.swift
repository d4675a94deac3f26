import Dispatch
import Foundation
import Synchronization

/// Turns the first Ctrl-C (or SIGTERM) into a request to stop at the next safe point; another one a second later or more ends
/// the program at once, as usual.
final class Interruption: Sendable {
    private let flag = Atomic(false)
    private nonisolated(unsafe) var sources: [any DispatchSourceSignal] = []

    init() {
        // The sources are made before anything else runs and never change: that is why they may be shared.
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [weak self] in
                self?.flag.store(true, ordering: .relaxed)
                // Not at once: timeout(1) and terminals may send the same signal to process and group.
                DispatchQueue.global().asyncAfter(deadline: .now() + 1) { signal(number, SIG_DFL) }
                FileHandle.standardError.write(Data("\nstopping after the batches in flight …\n".utf8))
            }
            source.resume()
            sources.append(source)
        }
    }

    var requested: Bool { flag.load(ordering: .relaxed) }
}
