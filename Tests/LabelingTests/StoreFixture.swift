import Foundation
import Labeling
import TestSupport

/// A store with objects `galaxy-0` …, all in the queue of the task `outliers`, in this order.
func makeStore(
    _ folder: String, objects: Int, tree: QuestionTree = .outlier, retirement: Retirement = .single,
    leaseSeconds: Double = 600
) throws -> LabelStore {
    let store = try LabelStore(path: folder + "/labels.sqlite", leaseSeconds: leaseSeconds)
    try store.importObjects(
        (0..<objects).lazy.map { ReviewObject(id: "galaxy-\($0)", path: "images/\($0).fits", ra: 1, dec: 2, row: $0) })
    try store.defineTask("outliers", tree: tree, retirement: retirement)
    try store.replaceProposals(
        task: "outliers",
        (0..<objects).lazy.map {
            Proposal(
                objectID: "galaxy-\($0)", task: "outliers", question: tree.root.name, answer: tree.root.answers[0].name,
                score: Double(objects - $0), strategy: "outliers")
        })
    return store
}

extension LabelStore {
    /// The id of the object that is due.
    func due(_ session: SessionID, now: Double = Date().timeIntervalSince1970) throws -> String? {
        try next(session, now: now).first?.object.id
    }
}
