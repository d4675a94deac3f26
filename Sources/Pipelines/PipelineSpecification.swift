import Foundation
internal import Yams

/// A run file: what to do with the images, stage by stage, with every setting that has a default filled in.
///
/// ```yaml
/// version: 1
/// name: quickstart
/// seed: 1
/// stages:
///   - load
///   - embed: {batch: 32}
///   - score: {neighbours: 10}
/// ```
///
/// A stage that is not listed does not run; its settings may not be given either. Unknown keys are errors that
/// name the nearest known one.
public struct PipelineSpecification: Sendable {
    public struct Stage: Sendable {
        public let kind: StageKind
        public package(set) var values: [String: SettingValue]

        /// A stage with every setting at its default.
        public init(_ kind: StageKind) {
            self.kind = kind
            values = Dictionary(uniqueKeysWithValues: kind.settings.map { ($0.name, $0.defaultValue) })
        }
    }

    public var name: String
    /// Start of every random choice in the run.
    public var seed: UInt64
    public internal(set) var stages: [Stage]

    public init(name: String, seed: UInt64, stages: [StageKind]) {
        self.name = name
        self.seed = seed
        self.stages = stages.map { Stage($0) }
    }

    /// The stage of a kind, if it is part of the run.
    public func stage(_ kind: StageKind) -> Stage? { stages.first { $0.kind == kind } }
}

// MARK: - Reading

extension PipelineSpecification {
    /// Reads a run file.
    ///
    /// - Throws: `PipelineError` with the file's path and the line.
    public static func read(path: String) throws(PipelineError) -> PipelineSpecification {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw PipelineError(.configuration, path: path, "cannot be read")
        }
        guard data.count < 1 << 20, let text = String(data: data, encoding: .utf8) else {
            throw PipelineError(.configuration, path: path, "is not a UTF-8 text of less than 1 MiB")
        }
        do {
            return try parse(text)
        } catch {
            throw PipelineError(error.kind, path: path, line: error.line, error.reason)
        }
    }

    /// Reads the text of a run file.
    public static func parse(_ text: String) throws(PipelineError) -> PipelineSpecification {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw PipelineError(.configuration, "is not valid YAML: \(error)")
        } catch {
            throw PipelineError(.configuration, "is not valid YAML: \(error)")
        }
        guard let root else { throw PipelineError(.configuration, "is empty") }
        guard let mapping = root.mapping else {
            throw PipelineError(.configuration, line: root.line, "expected keys such as 'stages:' at the top level")
        }
        let known = ["version", "name", "seed", "stages"]
        for (key, _) in mapping { try require(key, among: known, of: "a run file") }

        if let version = mapping["version"], version.scalar?.string != "1" {
            throw PipelineError(
                .configuration, line: version.line,
                "version: this program reads version 1, got '\(version.scalar?.string ?? "?")'")
        }
        guard let list = mapping["stages"]?.sequence else {
            throw PipelineError(.configuration, line: mapping["stages"]?.line, "stages: expected a list")
        }
        var specification = PipelineSpecification(
            name: mapping["name"]?.scalar?.string ?? "unnamed", seed: 1, stages: [])
        if let seed = mapping["seed"] {
            guard let value = UInt64(seed.scalar?.string ?? "") else {
                throw PipelineError(.configuration, line: seed.line, "seed: expected a whole number of 0 or more")
            }
            specification.seed = value
        }
        for node in list { specification.stages.append(try stage(node)) }
        try specification.checkOrder()
        return specification
    }

    private static func stage(_ node: Node) throws(PipelineError) -> Stage {
        if let scalar = node.scalar { return Stage(try kind(scalar.string, line: node.line)) }
        guard let mapping = node.mapping, mapping.count == 1, let (key, settings) = mapping.first,
            let name = key.scalar?.string
        else {
            throw PipelineError(.configuration, line: node.line, "expected a stage, such as '- embed: {batch: 32}'")
        }
        var stage = Stage(try kind(name, line: key.line))
        if settings.scalar?.string.isEmpty ?? false { return stage }
        guard let pairs = settings.mapping else {
            throw PipelineError(.configuration, line: settings.line, "\(name): expected settings in braces")
        }
        for (key, value) in pairs {
            try require(key, among: stage.kind.settings.map(\.name), of: "stage '\(name)'")
            let setting = stage.kind.settings.first { $0.name == key.scalar?.string }!
            if let sequence = value.sequence {
                guard case .list = setting.defaultValue else {
                    throw PipelineError(.configuration, line: value.line, "\(setting.name): expected one value")
                }
                let list = SettingValue.list(sequence.compactMap { $0.scalar?.string })
                try setting.checkChoices(list, line: value.line)
                stage.values[setting.name] = list
            } else if let scalar = value.scalar {
                stage.values[setting.name] = try setting.value(from: scalar.string, line: value.line)
            } else {
                throw PipelineError(.configuration, line: value.line, "\(setting.name): expected a value or a list")
            }
        }
        return stage
    }

    private static func kind(_ name: String, line: Int?) throws(PipelineError) -> StageKind {
        if let kind = StageKind(rawValue: name) { return kind }
        throw PipelineError(
            .configuration, line: line, unknown(name, among: StageKind.allCases.map(\.rawValue), what: "stage"))
    }

    private static func require(_ key: Node, among known: [String], of owner: String) throws(PipelineError) {
        let name = key.scalar?.string ?? "?"
        guard !known.contains(name) else { return }
        throw PipelineError(.configuration, line: key.line, unknown(name, among: known, what: "key of \(owner)"))
    }

    private static func unknown(_ name: String, among known: [String], what: String) -> String {
        if let nearest = Spelling.nearest(to: name, among: known) {
            return "'\(name)' is no \(what); did you mean '\(nearest)'?"
        }
        return "'\(name)' is no \(what); known: \(known.joined(separator: ", "))"
    }

    /// Stages come once each, in the order in which data flows, and what a stage needs comes before it.
    private func checkOrder() throws(PipelineError) {
        var seen: [StageKind] = []
        for stage in stages {
            if seen.contains(stage.kind) {
                throw PipelineError(.configuration, "stages: '\(stage.kind.rawValue)' is listed twice")
            }
            if let last = seen.last, last.position > stage.kind.position {
                throw PipelineError(
                    .configuration, "stages: '\(stage.kind.rawValue)' must come before '\(last.rawValue)'")
            }
            for needed in stage.kind.needs where !seen.contains(needed) {
                throw PipelineError(
                    .configuration, "stages: '\(stage.kind.rawValue)' needs '\(needed.rawValue)' before it")
            }
            seen.append(stage.kind)
        }
        guard seen.contains(.load) else { throw PipelineError(.configuration, "stages: 'load' is missing") }
    }
}

// MARK: - Overrides and writing

extension PipelineSpecification {
    /// Applies an override of the form `stage.key=value`, or `seed=…`.
    ///
    /// - Throws: `PipelineError` that names what is unknown.
    public mutating func set(_ override: String) throws(PipelineError) {
        let sides = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2 else {
            throw PipelineError(.configuration, "'\(override)': expected stage.key=value")
        }
        if sides[0] == "seed" {
            guard let value = UInt64(sides[1]) else {
                throw PipelineError(.configuration, "seed: expected a whole number of 0 or more, got '\(sides[1])'")
            }
            seed = value
            return
        }
        let path = sides[0].split(separator: ".", maxSplits: 1)
        guard path.count == 2 else {
            throw PipelineError(.configuration, "'\(sides[0])': expected stage.key")
        }
        let kind = try Self.kind(String(path[0]), line: nil)
        guard let index = stages.firstIndex(where: { $0.kind == kind }) else {
            throw PipelineError(.configuration, "'\(override)': the run has no stage '\(kind.rawValue)'")
        }
        guard let setting = kind.settings.first(where: { $0.name == path[1] }) else {
            throw PipelineError(
                .configuration,
                Self.unknown(
                    String(path[1]), among: kind.settings.map(\.name), what: "key of stage '\(kind.rawValue)'"))
        }
        stages[index].values[setting.name] = try setting.value(from: String(sides[1]), line: nil)
    }

    /// The run file with every setting, and, where asked for, what each means.
    public func yaml(commented: Bool = false) -> String {
        var text = "version: 1\nname: \(name)\nseed: \(seed)\nstages:\n"
        for stage in stages {
            if commented { text += "\n  # \(stage.kind.help)\n" }
            text += "  - \(stage.kind.rawValue):\n"
            for setting in stage.kind.settings {
                let value = stage.values[setting.name] ?? setting.defaultValue
                if commented {
                    let choices = setting.choices.map { " (\($0.joined(separator: ", ")))" } ?? ""
                    text += "      # \(setting.help)\(choices)\n"
                }
                text += "      \(setting.name): \(value.yaml)\n"
            }
        }
        return text
    }
}

extension Node {
    fileprivate var line: Int? { mark?.line }
}
