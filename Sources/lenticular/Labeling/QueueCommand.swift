import ActiveLearning
import ArgumentParser
import Foundation
import Labeling

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "What people are to be asked about the objects of a run.",
        subcommands: [QueueBuildCommand.self])
}

struct QueueBuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Put the objects of a run into the order in which people are to see them.",
        discussion: """
            Makes RUN/labels.sqlite, or adds to it. Labels that are there stay. Strategies: outliers, entropy, margin, bald, \
            diversity, relevance, random; several with shares; or mix. Those that need a model take part once \
            'lenticular learn' made one.

              lenticular queue build RUN --task outliers
              lenticular queue build RUN --task class5 --strategy bald=0.5,diversity=0.3,random=0.2
            """)

    @Argument(help: "Run folder.")
    var folder: String

    @Option(help: "Task: outliers, class5, desi, gz2, or a name of your own with --classes or --questions.")
    var task = "outliers"

    @Option(help: ArgumentHelp("Classes to choose from, for a task of your own.", valueName: "a,b,…"))
    var classes: String?

    @Option(help: "YAML or JSON file with the questions of a task of your own.")
    var questions: String?

    @Option(
        help:
            "How objects are chosen; outliers=0.45,relevance=0.45,random=0.1 for outliers and mix for other tasks by default."
    )
    var strategy: String?

    @Option(help: "An object is done when the first so many answers agree.")
    var agreeing = 1

    @Option(help: "An object is done after so many answers.")
    var total = 1

    @Option(help: "An object is done when so many people flag it as an artefact.")
    var artefacts = 1

    @Option(help: "Start of every random choice.")
    var seed: UInt32 = 0

    func validate() throws {
        if classes != nil && questions != nil { throw ValidationError("say one of --classes and --questions") }
        if agreeing < 1 || total < 1 || artefacts < 1 {
            throw ValidationError("--agreeing, --total and --artefacts: expected 1 or more")
        }
    }

    func run() throws {
        let mix = try StrategyMix(strategy ?? (task == "outliers" ? "outliers=0.45,relevance=0.45,random=0.1" : "mix"))
        let tree: QuestionTree
        if let classes {
            let names = classes.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            guard names.count > 1, names.count <= 30, Set(names).count == names.count else {
                throw ValidationError("--classes: expected 2 to 30 different names")
            }
            tree = .classes(task, names)
        } else {
            tree = try TaskKind.tree(named: questions ?? task)
        }
        let run = try RunObjects(folder)
        let store = try LabelStore(path: run.storePath)
        try store.importObjects(run.objects)
        try store.defineTask(
            task, tree: tree, retirement: Retirement(agreeing: agreeing, total: total, artefact: artefacts),
            strategy: mix.description)
        let learner = Learner(store, run: run, workers: ProcessInfo.processInfo.activeProcessorCount)
        if let active = try store.models(task: task).last(where: \.isActive) {
            try learner.rollback(task: task, version: active.version)
        } else {
            try learner.buildQueue(task: task, seed: UInt64(seed))
        }
        print(
            "\(run.storePath): \(try store.queueCount(task: task)) objects in the queue of '\(task)' by \(mix.description)"
        )
    }
}
