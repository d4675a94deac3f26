import ArgumentParser
import Datasets
import Foundation
import Labeling
import Pipelines
import TerminalUI

struct ReviewBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review",
        abstract: "Time from a key to the next object's picture, on a pseudo-terminal, with a long queue.",
        discussion: """
            Builds a label store with --objects objects (the images are used over and over), runs the review itself on a \
            pseudo-terminal, presses a key every --pause milliseconds and reads all that is drawn. The time counts from \
            the key's arrival to the end of the frame with the next object's picture, the commit of the answer included.
            """)

    @Option(help: "Objects in the queue.")
    var objects = 100_000

    @Option(help: "Keys to press.")
    var keys = 200

    @Option(help: "Milliseconds between keys.")
    var pause = 150

    @Option(help: "Folder of images; the sample by default.")
    var images: String?

    @Option(help: "How to show pictures.")
    var graphics: Graphics = .blocks

    @Option(help: "Window size, COLUMNSxROWS.")
    var size = "120x40"

    @Option(help: "Folder to work in; removed afterwards.")
    var folder = NSTemporaryDirectory() + "lenticular-bench-review-\(ProcessInfo.processInfo.processIdentifier)"

    func validate() throws {
        let numbers = size.split(separator: "x").compactMap { UInt16($0) }
        guard numbers.count == 2 else { throw ValidationError("--size: expected COLUMNSxROWS, got '\(size)'") }
        guard objects > 0, keys > 0, pause >= 0 else {
            throw ValidationError("--objects, --keys: expected at least 1; --pause at least 0")
        }
    }

    func run() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try LabelStore(path: folder + "/" + LabelStore.fileName)
        let found = try FileDiscovery().objects(in: [images ?? InstalledFiles.sample()])
        let names = (0..<objects).lazy.map { "bench-\($0)" }
        try store.importObjects(
            names.enumerated().lazy.map { row, name in
                let paths = found[row % found.count].paths.map { URL(fileURLWithPath: $0).path }
                return ReviewObject(id: name, path: paths.joined(separator: ";"), row: row)
            })
        try store.defineTask(OutlierQueue.task, tree: .outlier)
        try store.replaceProposals(
            task: OutlierQueue.task,
            names.enumerated().lazy.map { row, name in
                Proposal(
                    objectID: name, task: OutlierQueue.task, question: QuestionTree.outlier.root.name,
                    score: Double(objects - row), strategy: "outliers")
            })

        let numbers = size.split(separator: "x").compactMap { Int($0) }
        let window = TerminalSize(columns: numbers[0], rows: numbers[1], cell: .init(width: 9, height: 18))
        let ends = try PseudoTerminal(window)
        defer { withExtendedLifetime(ends) {} }
        let run = RunFolder(path: folder)
        let (files, terminal) = (RunFiles(run), try Terminal(descriptor: ends.program))
        defer { terminal.leave() }
        let queue = try LabelReview(store: store, task: OutlierQueue.task, labeller: "bench", files: files)
        let screen = ReviewScreen(queue: queue, task: OutlierQueue.task, labeller: "bench", time: ReviewRunner.now())
        startPerson(at: ends.person)
        let before = Self.memory()
        let runner = ReviewRunner(
            terminal: terminal, screen: screen, source: RunPictures(run, files: files), graphics: graphics)
        let summary = runner.run()
        terminal.leave()
        try queue.release()
        print(
            "\(objects) objects queued, \(summary.saved) answers saved, \(graphics.rawValue), \(size), a key every "
                + "\(pause) ms; memory \(before) MiB before, \(Self.memory()) MiB after")
        print(LatencyText.of(summary.latencies))
    }

    /// Reads what is drawn and presses keys, then quits.
    private func startPerson(at descriptor: Int32) {
        Thread {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while read(descriptor, &buffer, buffer.count) > 0 {}
        }.start()
        let (keys, pause) = (keys, pause)
        Thread {
            Thread.sleep(forTimeInterval: 2)
            for key in 0..<keys {
                var byte = UInt8(ascii: "0") + UInt8(key % 6)
                write(descriptor, &byte, 1)
                Thread.sleep(forTimeInterval: Double(pause) / 1000)
            }
            Thread.sleep(forTimeInterval: 1)
            var quit = UInt8(ascii: "q")
            write(descriptor, &quit, 1)
        }.start()
    }

    /// Resident memory in MiB.
    private static func memory() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return (pages * Int(sysconf(Int32(_SC_PAGESIZE)))) >> 20
    }
}
