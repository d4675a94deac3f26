import AstroIO
import Foundation

/// Reads labels that were given elsewhere into a task.
///
/// The form follows from the columns: `human_label` (Astronomaly), `filename` and `label` with `normal` and `anomaly`
/// (AnomalyMatch), `question` and `answer` (what this program writes), or vote counts `{question}_{answer}_count`.
public struct LabelImport: Sendable {
    /// A row that could not be used.
    public struct BadRow: Sendable, Equatable {
        /// 1 for the first after the header.
        public var row: Int
        public var id: String
        public var reason: String
    }

    public struct Result: Sendable, Equatable {
        public var form: LabelFileForm
        /// Answers that were written down.
        public var imported: Int
        /// Rows that say that there is no label.
        public var unlabelled: Int
        public var bad: [BadRow]
    }

    struct Label: Sendable {
        var objectID: String
        var labeller: String
        var question: String
        var answer: String
        var seconds: Double?
        var comment: String?
        var time: Double?
    }

    let store: LabelStore
    let task: LabelTask
    /// Who is to have given the labels, where the file does not say.
    let labeller: String

    public init(_ store: LabelStore, task: String, labeller: String = "import") throws(LabelStoreError) {
        self.store = store
        self.task = try store.task(task)
        self.labeller = labeller
    }

    /// Reads a file: all its good rows in one transaction. Reading the same file again changes no vote.
    ///
    /// - Throws: `CatalogError` for a file that is no table; ``LabelStoreError`` for one without labels.
    public func read(_ path: String) throws -> Result {
        let table = try Catalog.read(path)
        let form = try form(of: table, path: path)
        var result = Result(form: form, imported: 0, unlabelled: 0, bad: [])
        var labels: [Label] = []
        let ids = try objectIDs(table, path: path)
        for row in 0..<table.rowCount {
            do {
                let found = try rowLabels(table, row, form)
                guard !found.isEmpty else {
                    result.unlabelled += 1
                    continue
                }
                guard let id = ids[row].id else { throw Reason(text: ids[row].reason) }
                labels += found.map { label in
                    var label = label
                    label.objectID = id
                    return label
                }
            } catch let reason as Reason {
                result.bad.append(BadRow(row: row + 1, id: ids[row].name, reason: reason.text))
            }
        }
        try store.log(labels, task: task.name)
        result.imported = labels.count
        return result
    }

    private struct Reason: Error { var text: String }

    private func form(of table: Catalog, path: String) throws -> LabelFileForm {
        if table["human_label"] != nil { return .astronomaly }
        if table["question"] != nil, table["answer"] != nil { return .answers }
        if table["label"] != nil, table.fileColumn != nil { return .anomalymatch }
        let hasVotes = task.tree.questions.contains { question in
            question.answers.contains { table["\(question.name)_\($0.name)_count"] != nil }
        }
        if hasVotes { return .votes }
        throw LabelStoreError(
            .unknown, path: path,
            "has no labels for the task '\(task.name)': expected a column human_label, or filename and label, or question and answer, or counts such as \(task.tree.root.name)_\(task.tree.root.answers[0].name)_count"
        )
    }

    /// For each row the object, or why there is none.
    private func objectIDs(_ table: Catalog, path: String) throws -> [(id: String?, name: String, reason: String)] {
        let (ids, files) = (table.identifiers, table.fileColumn?.strings)
        guard ids != nil || files != nil else {
            throw LabelStoreError(.unknown, path: path, "has neither a column of ids nor one of file names")
        }
        let known = Set(try store.objects(ids: ids?.compactMap { $0 } ?? []).map(\.id))
        let names = files == nil ? [:] : try store.idsByFileName()
        return (0..<table.rowCount).map { row in
            let (id, file) = (ids?[row], files?[row])
            if let id, known.contains(id) { return (id, id, "") }
            guard let file else { return (nil, id ?? "", "the run has no object '\(id ?? "")'") }
            switch names[(file as NSString).lastPathComponent] {
            case .some(.some(let found)): return (found, id ?? file, "")
            case .some(.none): return (nil, id ?? file, "several objects have a file called '\(file)'")
            case nil: return (nil, id ?? file, "the run has no object '\(id ?? file)'")
            }
        }
    }

    private func rowLabels(_ table: Catalog, _ row: Int, _ form: LabelFileForm) throws(Reason) -> [Label] {
        let root = task.tree.root
        func text(_ column: String) -> String? { table[column]?.strings?[row] }
        func number(_ column: String) -> Double? {
            (table[column]?.doubles?[row]).flatMap { $0.isFinite ? $0 : nil }
        }
        func label(_ question: String, _ answer: String, by person: String) throws(Reason) -> Label {
            if question != QuestionTree.artefact {
                guard let known = task.tree.question(question) else {
                    throw Reason(text: "the task has no question '\(question)'")
                }
                guard known.answer(named: answer) != nil else {
                    throw Reason(text: "'\(question)' has no answer '\(answer)'")
                }
            }
            return Label(objectID: "", labeller: person, question: question, answer: answer)
        }
        switch form {
        case .astronomaly:
            guard let value = number("human_label") ?? text("human_label").flatMap(Double.init) else {
                throw Reason(text: "human_label '\(text("human_label") ?? "")' is no number")
            }
            if value == -1 { return [] }
            guard (0...5).contains(value), value == value.rounded() else {
                throw Reason(text: "human_label \(value) is not -1 or a whole number 0 … 5")
            }
            return [try label(root.name, "\(Int(value))", by: labeller)]
        case .anomalymatch:
            switch text("label")?.lowercased() {
            case nil: return []
            case "normal": return [try label(root.name, "0", by: labeller)]
            case "anomaly": return [try label(root.name, "5", by: labeller)]
            case let other?: throw Reason(text: "label '\(other)' is neither normal nor anomaly")
            }
        case .answers:
            guard let question = text("question"), let answer = text("answer") else { return [] }
            var found = try label(question, answer, by: text("labeller") ?? labeller)
            (found.seconds, found.time, found.comment) = (number("seconds"), number("time"), text("comment"))
            return [found]
        case .votes:
            var labels: [Label] = []
            for question in task.tree.questions {
                var person = 0
                for answer in question.answers {
                    guard let count = number("\(question.name)_\(answer.name)_count") else { continue }
                    guard (0...1000).contains(count), count == count.rounded() else {
                        throw Reason(text: "\(question.name)_\(answer.name)_count \(count) is no count of votes")
                    }
                    for _ in 0..<Int(count) {
                        person += 1
                        labels.append(try label(question.name, answer.name, by: "\(labeller)-\(person)"))
                    }
                }
            }
            return labels
        }
    }
}
