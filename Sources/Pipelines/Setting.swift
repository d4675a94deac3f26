/// One key of a stage in a run file: its name, what it is when it is not given, and what it means.
///
/// The table of a stage's settings is the only place that knows them: the reader of run files, `--set`, and the
/// commented default configuration are made from it.
public struct Setting: Sendable {
    public let name: String
    public let defaultValue: SettingValue
    /// The values that are allowed, where they can be listed.
    public let choices: [String]?
    /// Decides where the choices are only examples, as for a name with a number.
    let accepts: (@Sendable (String) -> Bool)?
    /// The range that a number must lie in.
    public let range: ClosedRange<Double>?
    public let help: String

    public init(
        _ name: String, _ defaultValue: SettingValue, choices: [String]? = nil,
        accepts: (@Sendable (String) -> Bool)? = nil, range: ClosedRange<Double>? = nil, help: String
    ) {
        self.name = name
        self.defaultValue = defaultValue
        self.choices = choices
        self.accepts = accepts
        self.range = range
        self.help = help
    }
}

/// A value in a run file. The kind of a setting's default is the kind that its values must have; `.none` stands
/// for "not given" and is allowed where the default is `.optionalText`.
public enum SettingValue: Sendable, Equatable {
    case flag(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case optionalText(String?)
    case list([String])

    /// As it is written in YAML.
    public var yaml: String {
        switch self {
        case .flag(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .text(let value): value
        case .optionalText(let value): value ?? "null"
        case .list(let values): "[" + values.joined(separator: ", ") + "]"
        }
    }
}

extension Setting {
    /// Reads a value written as text (a YAML scalar, or the right side of `--set`).
    ///
    /// - Throws: `PipelineError` that names the setting, what came and what was expected.
    func value(from text: String, line: Int?) throws(PipelineError) -> SettingValue {
        func wrong(_ expected: String) -> PipelineError {
            PipelineError(.configuration, line: line, "\(name): expected \(expected), got '\(text)'")
        }
        let value: SettingValue
        switch defaultValue {
        case .flag:
            switch text {
            case "true", "yes", "on": value = .flag(true)
            case "false", "no", "off": value = .flag(false)
            default: throw wrong("true or false")
            }
        case .integer:
            guard let integer = Int(text) else { throw wrong("a whole number") }
            try check(Double(integer), line: line)
            value = .integer(integer)
        case .number:
            guard let number = Double(text), number.isFinite else { throw wrong("a number") }
            try check(number, line: line)
            value = .number(number)
        case .text:
            value = .text(text)
        case .optionalText:
            value = .optionalText(["", "null", "~"].contains(text) ? nil : text)
        case .list:
            let inner = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
            value = .list(
                inner.split(separator: ",").map { String($0.trimmingPrefix(while: \.isWhitespace).trimmedEnd()) })
        }
        try checkChoices(value, line: line)
        return value
    }

    /// - Throws: `PipelineError` when one of the values is not among the choices.
    func checkChoices(_ value: SettingValue, line: Int?) throws(PipelineError) {
        guard let choices else { return }
        let given: [String] =
            switch value {
            case .text(let text): [text]
            case .optionalText(let text): text.map { [$0] } ?? []
            case .list(let texts): texts
            default: []
            }
        for text in given where !(accepts?(text) ?? choices.contains(text)) {
            let nearest = Spelling.nearest(to: text, among: choices).map { "; did you mean '\($0)'?" } ?? ""
            throw PipelineError(
                .configuration, line: line,
                "\(name): '\(text)' is not one of \(choices.joined(separator: ", "))\(nearest)")
        }
    }

    private func check(_ number: Double, line: Int?) throws(PipelineError) {
        guard let range, !range.contains(number) else { return }
        throw PipelineError(
            .configuration, line: line,
            "\(name): \(number.formatted()) is not between \(range.lowerBound.formatted()) and \(range.upperBound.formatted())"
        )
    }
}

extension Double {
    fileprivate func formatted() -> String { self == rounded() && abs(self) < 1e15 ? String(Int(self)) : String(self) }
}

extension Substring {
    fileprivate func trimmedEnd() -> Substring {
        var rest = self
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}

/// The nearest known word to a misspelt one.
package enum Spelling {
    /// The candidate with the smallest edit distance, if that is at most a third of the word's length (at least 2).
    package static func nearest(to word: String, among candidates: [String]) -> String? {
        let allowed = max(2, word.count / 3)
        return candidates.map { ($0, distance(word, $0)) }.filter { $0.1 <= allowed }.min { $0.1 < $1.1 }?.0
    }

    /// Levenshtein distance.
    package static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a)
        let b = Array(b)
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
