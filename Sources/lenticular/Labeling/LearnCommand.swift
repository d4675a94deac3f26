import ActiveLearning
import ArgumentParser
import Foundation
import Labeling

struct LearnCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "learn",
        abstract: "Learn from the labels of a run, and order its queue anew.",
        discussion: """
            Heads are fitted to the run's embeddings in seconds; the backbone stays as it is. Each version of the model and the \
            labels that made it are on record: --versions lists them, --rollback goes back to one.
            """)

    @Argument(help: "Run folder.")
    var folder: String

    @Option(help: "Task; the only one there is by default.")
    var task: String?

    @Option(help: "Go back to this version of the model.")
    var rollback: Int?

    @Flag(help: "List the versions of the model.")
    var versions = false

    @Option(help: "Start of every random choice.")
    var seed: UInt32 = 0

    @Option(help: "Heads that are trained at a time.")
    var workers = ProcessInfo.processInfo.activeProcessorCount

    func validate() throws {
        if workers < 1 { throw ValidationError("--workers: expected 1 or more") }
    }

    func run() throws {
        let store = try LabelFolder.store(folder)
        let task = try LabelFolder.task(task, in: store)
        if versions {
            try printVersions(store, task)
            return
        }
        let learner = Learner(store, run: try RunObjects(folder), workers: workers)
        if let rollback {
            try learner.rollback(task: task, version: rollback)
            print("the queue of '\(task)' is ordered by version \(rollback) again")
        } else {
            print(try learner.learn(task: task, seed: seed).line)
        }
    }

    private func printVersions(_ store: LabelStore, _ task: String) throws {
        let table = TextTable([
            .init("version", 7, right: true), .init("created", 20), .init("labels", 6, right: true),
            .init("held-out AUC", 12, right: true), .init("", 6), .init("", 0),
        ])
        print(table.head)
        for version in try store.models(task: task) {
            print(
                table.row([
                    "\(version.version)", Date(timeIntervalSince1970: version.created).formatted(.iso8601),
                    "\(version.labelCount)", version.auc.isFinite ? fixed(version.auc, 3) : "",
                    version.isActive ? "active" : "", version.summary,
                ]))
        }
    }
}

/// The label store of a run folder.
enum LabelFolder {
    /// - Throws: `ValidationError` for a folder without one, so that a mistyped name makes no file.
    static func store(_ folder: String) throws -> LabelStore {
        let path = folder + "/" + LabelStore.fileName
        guard FileManager.default.fileExists(atPath: path) else {
            throw ValidationError("\(folder) has no labels yet; begin with 'lenticular queue build \(folder)'")
        }
        return try LabelStore(path: path)
    }

    /// The task that is meant.
    static func task(_ name: String?, in store: LabelStore) throws -> String {
        if let name { return try store.task(name).name }
        let names = try store.tasks().map(\.name)
        guard names.count == 1 else {
            throw ValidationError("say which --task: there are \(names.joined(separator: ", "))")
        }
        return names[0]
    }
}
