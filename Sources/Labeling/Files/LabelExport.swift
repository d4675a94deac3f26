import AstroIO
import Foundation

/// Labels as tables, in the forms that others read.
public enum LabelFileForm: String, Sendable, CaseIterable {
    /// Votes as Galaxy Zoo publishes them: `{question}_{answer}_count` and `_fraction`, one row an object.
    case votes
    /// One row for each answer of each person that counts now.
    case answers
    /// Astronomaly: `human_label` 0 … 5, -1 for none, one row for each object of the queue.
    case astronomaly
    /// AnomalyMatch: `filename,label` with `normal` and `anomaly`.
    case anomalymatch
}

/// Makes tables of a task's labels.
public struct LabelExport {
    let store: LabelStore
    let task: LabelTask

    /// - Throws: ``LabelStoreError`` for a task that there is not.
    public init(_ store: LabelStore, task: String) throws(LabelStoreError) {
        self.store = store
        self.task = try store.task(task)
    }

    /// - Throws: ``LabelStoreError``; `CatalogError` for a tree whose questions and answers give a column name twice.
    public func table(_ form: LabelFileForm) throws -> Catalog {
        switch form {
        case .votes: try votes()
        case .answers: try answers()
        case .astronomaly: try astronomaly()
        case .anomalymatch: try anomalyMatch()
        }
    }

    private func objects(_ ids: [String]) throws(LabelStoreError) -> [ReviewObject] {
        try store.objects(ids: ids)
    }

    private func votes() throws -> Catalog {
        let counts = try store.voteCounts(task: task.name)
        var order: [String] = []
        var byObject: [String: [String: VoteCounts]] = [:]
        for count in counts {
            if byObject[count.objectID] == nil { order.append(count.objectID) }
            byObject[count.objectID, default: [:]][count.question] = count
        }
        var columns = Self.identity(try objects(order))
        for question in task.tree.questions {
            let found = order.map { byObject[$0]?[question.name] }
            for (place, answer) in question.answers.enumerated() {
                columns.append(
                    Column(
                        "\(question.name)_\(answer.name)_count", .int32(found.map { Int32($0?.counts[place] ?? 0) }),
                        description: "People who answered '\(answer.name)' to '\(question.name)'"))
            }
            for answer in question.answers {
                columns.append(
                    Column(
                        "\(question.name)_\(answer.name)_fraction",
                        .double(found.map { $0?.fraction(of: answer.name) ?? .nan }),
                        description: "Their share of all who answered '\(question.name)'; NaN where nobody did"))
            }
            columns.append(
                Column(
                    "\(question.name)_total-votes", .int32(found.map { Int32($0?.total ?? 0) }),
                    description: "People who answered '\(question.name)'"))
        }
        columns.append(
            Column(
                "artefact-flag_count", .int32(order.map { Int32(byObject[$0]?[QuestionTree.artefact]?.total ?? 0) }),
                description: "People who flagged the image as an artefact"))
        return try Catalog(name: "VOTES", columns: columns, metadata: metadata)
    }

    private func answers() throws -> Catalog {
        let rows = try store.countedDecisions(task: task.name)
        return try Catalog(
            name: "LABELS",
            columns: [
                Column("id_str", .string(rows.map(\.objectID)), ucd: "meta.id;meta.main"),
                Column("labeller", .string(rows.map(\.labeller))),
                Column("question", .string(rows.map(\.question))),
                Column("answer", .string(rows.map(\.answer))),
                Column("seconds", .double(rows.map { $0.seconds ?? .nan }), unit: "s", description: "Time it took"),
                Column("time", .double(rows.map(\.time)), unit: "s", description: "When, since 1970-01-01 UTC"),
                Column("comment", .string(rows.map(\.comment))),
                Column("decision", .int64(rows.map(\.id)), description: "Row of the log"),
            ], metadata: metadata)
    }

    /// The interest 0 … 5 of each object that has one: the mean over its people, rounded. Artefacts are 0, as dull.
    private func interest() throws -> [String: Int] {
        let root = task.tree.root
        guard root.answers.contains(where: { Int($0.name) != nil }) else {
            throw LabelStoreError(
                .unknown, path: store.path,
                "the task '\(task.name)' has no scores of interest 0 … 5: its labels do not fit this form")
        }
        var result: [String: Int] = [:]
        for counts in try store.voteCounts(task: task.name) {
            if counts.question == QuestionTree.artefact { result[counts.objectID, default: 0] += 0 }
            guard counts.question == root.name, counts.total > 0 else { continue }
            let sum = zip(counts.answers, counts.counts).reduce(0) { $0 + (Int($1.0) ?? 0) * $1.1 }
            result[counts.objectID] = Int((Double(sum) / Double(counts.total)).rounded())
        }
        return result
    }

    private func astronomaly() throws -> Catalog {
        let interest = try interest()
        let queue = try store.ranking(task: task.name, limit: .max)
        return try Catalog(
            name: "ASTRONOMALY",
            columns: [
                Column("id_str", .string(queue.map(\.object.id)), ucd: "meta.id;meta.main"),
                Column("score", .double(queue.map { $0.object.metadata["outlier_score"] ?? .nan })),
                Column("trained_score", .double(queue.map(\.proposal.score))),
                Column(
                    "human_label", .int32(queue.map { Int32(interest[$0.object.id] ?? -1) }),
                    description: "0 dull … 5 most interesting, -1 none"),
            ], metadata: metadata)
    }

    private func anomalyMatch() throws -> Catalog {
        let interest = try interest()
        let found = try objects(interest.keys.sorted())
        return try Catalog(
            name: "ANOMALYMATCH",
            columns: [
                Column("filename", .string(found.map { ($0.path as NSString).lastPathComponent })),
                Column("label", .string(found.map { interest[$0.id]! >= 3 ? "anomaly" : "normal" })),
                Column("id_str", .string(found.map(\.id))),
            ], metadata: metadata)
    }

    private var metadata: [CatalogMetadata] { [CatalogMetadata("TASK", task.name)] }

    private static func identity(_ objects: [ReviewObject]) -> [Column] {
        [
            Column("id_str", .string(objects.map(\.id)), ucd: "meta.id;meta.main"),
            Column("file_loc", .string(objects.map(\.path)), ucd: "meta.ref.url"),
            Column("ra", .double(objects.map { $0.ra ?? .nan }), unit: "deg", ucd: "pos.eq.ra;meta.main"),
            Column("dec", .double(objects.map { $0.dec ?? .nan }), unit: "deg", ucd: "pos.eq.dec;meta.main"),
        ]
    }
}
