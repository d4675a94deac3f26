import AstroIO

/// A catalog with what people and what the model say, side by side, and where each value comes from.
///
/// For each question `q` of the task: `q` (the people's answer where they agree on one, else the model's), `q_source` (`human`
/// or `model`), `q_human`, `q_human_fraction`, `q_labeller_count`, `q_model`, `q_model_probability`, `q_model_version`.
public struct LabelledCatalog {
    let store: LabelStore
    let task: LabelTask

    public init(_ store: LabelStore, task: String) throws(LabelStoreError) {
        self.store = store
        self.task = try store.task(task)
    }

    /// The catalog with the columns of every question that somebody or something has answered.
    ///
    /// - Throws: `CatalogError` for a catalog that has such columns already; ``LabelStoreError`` for one without ids.
    public func joined(to catalog: Catalog) throws -> Catalog {
        guard let ids = catalog.identifiers else {
            throw LabelStoreError(.unknown, path: store.path, "the catalog to be joined has no column of ids")
        }
        var people: [String: [String: ConsensusLabel]] = [:]
        for label in try store.consensus(task: task.name) {
            people[label.question, default: [:]][label.objectID] = label
        }
        var result = catalog
        for question in task.tree.questions.map(\.name) {
            let model = try store.proposals(task: task.name, question: question).filter { $0.value.answer != nil }
            let human = ids.map { id in id.flatMap { people[question]?[$0] } }
            let proposed = ids.map { id in id.flatMap { model[$0] } }
            guard human.contains(where: { $0 != nil }) || proposed.contains(where: { $0 != nil }) else { continue }
            func both<Value>(_ make: (ConsensusLabel?, Proposal?) -> Value) -> [Value] {
                zip(human, proposed).map(make)
            }
            for column in [
                Column(
                    question, .string(both { $0?.answer ?? $1?.answer }),
                    description: "People's answer where they agree on one, else the model's"),
                Column(
                    question + "_source",
                    .string(both { $0?.answer != nil ? "human" : $1?.answer != nil ? "model" : nil }),
                    description: "Where it comes from: human or model"),
                Column(
                    question + "_human", .string(human.map { $0?.answer }),
                    description: "The answer most people gave; missing at a tie"),
                Column(
                    question + "_human_fraction", .double(human.map { $0?.fraction ?? .nan }),
                    description: "Share of the people who gave it"),
                Column(
                    question + "_labeller_count", .int32(human.map { Int32($0?.labellerCount ?? 0) }),
                    description: "People who answered"),
                Column(
                    question + "_model", .string(proposed.map { $0?.answer }), description: "The model's answer"),
                Column(
                    question + "_model_probability", .double(proposed.map { $0?.probability ?? .nan }),
                    description: "Its probability by the model; NaN where it has none"),
                Column(
                    question + "_model_version", .int32(proposed.map { $0?.modelVersion.map(Int32.init(clamping:)) }),
                    description: "Version of the model, see 'lenticular labels stats'"),
            ] { try result.append(column) }
        }
        return result
    }
}
