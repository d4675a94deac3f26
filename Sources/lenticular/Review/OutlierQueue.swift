import ActiveLearning
import Foundation
import Labeling
import Pipelines

/// The queue that a run has before anybody built one: its objects by outlier score, the most unusual first.
enum OutlierQueue {
    static let task = "outliers"

    /// Makes it from a finished run.
    ///
    /// - Throws: `ActiveLearningError` for a run without scores; `CatalogError`, `LabelStoreError`.
    static func build(_ run: RunFolder, in store: LabelStore) throws {
        let objects = try RunObjects(run.path)
        let strategy = try StrategyMix("outliers")
        try store.importObjects(objects.objects)
        try store.defineTask(task, tree: TaskKind.tree(named: task), strategy: strategy.description)
        let workers = ProcessInfo.processInfo.activeProcessorCount
        try Learner(store, run: objects, workers: workers).buildQueue(task: task, seed: 0)
    }
}
