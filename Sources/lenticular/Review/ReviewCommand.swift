import ArgumentParser
import Foundation
import Labeling
import Pipelines
import TerminalUI

extension Graphics: ExpressibleByArgument {}

struct ReviewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review",
        abstract: "Look at a run's objects in the terminal and answer with one key.",
        discussion: """
            Shows each object of the queue with what is known of it; every answer is on the disk before the next object \
            comes. Without a queue it begins with the most unusual objects. ? lists the keys; docs/review.md explains them.

              lenticular review RUN
              lenticular review RUN --task morphology --labeller edwin --graphics sixel

            Works over ssh, from 50×16 characters. Exit status: 0 when you quit; 129 when the connection was lost.
            """)

    @Argument(help: ArgumentHelp("Run folder.", valueName: "run"))
    var path: String

    @Option(help: "Who answers.")
    var labeller: String = ProcessInfo.processInfo.environment["USER"] ?? "unknown"

    @Option(help: "Task to answer; the only one, or the outliers, by default.")
    var task: String?

    @Option(help: "How to show pictures; what the terminal can do by default.")
    var graphics: Graphics?

    @Flag(help: "When done, say how long it took from a key to the next object's picture.")
    var timings = false

    func validate() throws {
        if labeller.trimmingCharacters(in: .whitespaces).isEmpty {
            throw ValidationError("--labeller: expected a name")
        }
    }

    func run() throws {
        let folder = RunFolder(path: path)
        guard FileManager.default.fileExists(atPath: path) else {
            throw PipelineError(.input, path: path, "does not exist")
        }
        let path = folder.file(LabelStore.fileName)
        // A folder that is no run's stays as it is.
        if !FileManager.default.fileExists(atPath: path) {
            guard case .finished = folder.state else {
                throw PipelineError(.input, path: folder.path, "holds no finished run; make one with 'lenticular run'")
            }
        }
        let store = try LabelStore(path: path)
        let task = try self.task(in: store, folder)
        let files = RunFiles(folder)
        let terminal = try Terminal()
        defer { terminal.leave() }
        let queue = try LabelReview(store: store, task: task, labeller: labeller, files: files)
        let pictures = RunPictures(folder, files: files)
        let screen = ReviewScreen(
            queue: queue, task: task, labeller: labeller, views: pictures.views, time: ReviewRunner.now())
        let summary = ReviewRunner(terminal: terminal, screen: screen, source: pictures, graphics: graphics).run()
        terminal.leave()
        // What stays reserved is free again after ten minutes by itself.
        try? queue.release()
        if summary.wasHungUp { throw ExitCode(128 + (Terminal.endingSignal ?? SIGHUP)) }
        print("\(summary.saved) decisions saved in \(store.path).")
        print("Go on with: lenticular review \(self.path) --labeller \(labeller) --task \(task)")
        if timings { print(LatencyText.of(summary.latencies)) }
    }

    /// The task to answer; makes the queue of outliers where there is none.
    private func task(in store: LabelStore, _ folder: RunFolder) throws -> String {
        let known = try store.tasks().map(\.name)
        if let task, known.contains(task) { return task }
        if task == nil, known.count == 1 { return known[0] }
        if task == nil, known.contains(OutlierQueue.task) { return OutlierQueue.task }
        if task ?? OutlierQueue.task == OutlierQueue.task, !known.contains(OutlierQueue.task) {
            FileHandle.standardError.write(Data("building the queue of outliers …\n".utf8))
            try OutlierQueue.build(folder, in: store)
            return OutlierQueue.task
        }
        throw ValidationError(
            "--task: expected one of \(known.joined(separator: ", "))" + (task.map { ", got '\($0)'" } ?? ""))
    }
}

/// Times from a key to a picture, in words.
enum LatencyText {
    static func of(_ seconds: [Double]) -> String {
        guard !seconds.isEmpty else { return "no object followed another" }
        let sorted = seconds.sorted()
        func milliseconds(_ share: Double) -> String {
            fixed(1000 * sorted[Int((share * Double(sorted.count - 1)).rounded())], 1)
        }
        return "from key to the next picture: median \(milliseconds(0.5)) ms, 95 % \(milliseconds(0.95)) ms, "
            + "99 % \(milliseconds(0.99)) ms, longest \(milliseconds(1)) ms; "
            + "\(sorted.count { $0 < 0.05 }) of \(sorted.count) within 50 ms"
    }
}
