import AstroIO
import Models

/// Reads the label of a row.
struct LabelReader {
    enum Value {
        case known([Float])
        case missing
        case bad(String)
    }

    let target: MorphologyTarget
    private let read: (Int) -> Value

    init(_ columns: LabelColumns, table: LabelTable) throws(TrainingError) {
        switch columns {
        case .classes(let column, let classes, let merged):
            let texts = try table.text(column).map { text in
                text.map { $0.trimmed }.flatMap { $0.isEmpty ? nil : merged[$0] ?? $0 }
            }
            let names = classes.isEmpty ? Set(texts.compactMap { $0 }).sorted() : classes
            // A column of numbers or ids makes a class of every row.
            guard names.count <= 200 else {
                throw TrainingError(
                    .invalidConfiguration, path: table.path,
                    reason: "column '\(column)' has \(names.count) different values: that is no column of classes")
            }
            let places = Dictionary(zip(names, 0...)) { first, _ in first }
            target = .classes(names)
            read = { row in
                guard let text = texts[row] else { return .missing }
                guard let place = places[text] else {
                    return .bad("unknown class '\(text)'; known are \(names.joined(separator: ", "))")
                }
                return .known([Float(place)])
            }
        case .labels(let names):
            let values = try names.map { name throws(TrainingError) -> [Double] in
                guard let column = table.catalog[name] else { throw table.noColumn(name) }
                if case .bool(let cells) = column.values { return cells.map { $0.map { $0 ? 1 : 0 } ?? .nan } }
                guard let numbers = column.doubles else {
                    throw TrainingError(
                        .invalidConfiguration, path: table.path, reason: "column '\(name)' holds no numbers")
                }
                return numbers
            }
            target = .labels(names)
            read = { row in
                let cells = values.map { (0...1).contains($0[row]) ? Float($0[row]) : .nan }
                return cells.allSatisfy(\.isNaN) ? .missing : .known(cells)
            }
        case .tree(let tree, let campaign):
            let votes = try Self.votes(tree, campaign: campaign, table: table)
            target = .tree(tree)
            read = { row in
                var cells: [Float] = []
                for (place, column) in votes.enumerated() {
                    let value = column?[row] ?? 0
                    if value < 0 || value.isInfinite {
                        return .bad("answer \(place + 1): \(value) is no number of votes")
                    }
                    cells.append(value.isNaN ? 0 : Float(value))
                }
                return cells.allSatisfy { $0 == 0 } ? .missing : .known(cells)
            }
        }
    }

    func value(_ row: Int) -> Value { read(row) }

    /// The votes of each answer, in the order of the tree; nil for an answer that nobody was offered.
    private static func votes(
        _ tree: DecisionTree, campaign: String?, table: LabelTable
    ) throws(TrainingError) -> [[Double]?] {
        var result: [[Double]?] = []
        for question in tree.questions {
            let stem = campaign.map { "\(question.name)-\($0)" } ?? question.name
            let found = question.answers.map { answer -> Column? in
                let names = answer.columns + ["\(stem)_\(answer.name)", "\(stem)_\(answer.name)_count"]
                return names.lazy.compactMap { table.catalog[$0] }.first
            }
            guard found.contains(where: { $0 != nil }) else {
                let example = "\(stem)_\(question.answers[0].name)"
                throw TrainingError(
                    .invalidConfiguration, path: table.path,
                    reason: "no column has votes for '\(question.name)' (such as '\(example)')"
                        + suggestion(question, table))
            }
            for (answer, column) in zip(question.answers, found) {
                guard let column else {
                    throw TrainingError(
                        .invalidConfiguration, path: table.path,
                        reason: "has votes for '\(question.name)', but none for its answer '\(answer.name)'")
                }
                guard let numbers = column.doubles else {
                    throw TrainingError(
                        .invalidConfiguration, path: table.path, reason: "column '\(column.name)' holds no numbers")
                }
                result.append(numbers)
            }
        }
        return result
    }

    /// The campaign whose suffix the table's columns have, if that is what is missing.
    private static func suggestion(_ question: DecisionTree.Question, _ table: LabelTable) -> String {
        for column in table.catalog.columns where column.name.hasPrefix(question.name + "-") {
            let rest = column.name.dropFirst(question.name.count + 1)
            if let end = rest.firstIndex(of: "_") { return "; say --campaign \(rest[..<end])" }
        }
        return ""
    }
}

extension String {
    /// Without blanks at both ends.
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
