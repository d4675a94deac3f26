import AstroIO
import Datasets
import Foundation
import Pipelines

/// Files that commands which look at one stamp an object leave beside their catalog.
enum ResultFiles {
    /// `FOLDER/failures.ecsv`: what could not be read; no file where nothing failed.
    static func writeFailures(_ failures: [(object: ObjectFiles, error: StampError)], in folder: String) throws {
        guard !failures.isEmpty else { return }
        try Catalog(
            name: "FAILURES",
            columns: [
                Column("id_str", .string(failures.map(\.object.id)), ucd: "meta.id;meta.main"),
                Column("file_loc", .string(failures.map { $0.object.paths.joined(separator: ";") })),
                Column("stage", .string(failures.map(\.error.stage.rawValue))),
                Column("reason", .string(failures.map(\.error.reason)), ucd: "meta.note"),
            ]
        ).write(to: folder + "/failures.ecsv")
    }

    /// `FOLDER/provenance.json`: the values, and program, version, command line and time.
    static func writeProvenance(_ values: [String: String], in folder: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var values = values
        values["program"] = "lenticular"
        values["version"] = ProgramVersion.current
        values["command_line"] = CommandLine.arguments.joined(separator: " ")
        values["finished"] = Date.now.formatted(.iso8601)
        try encoder.encode(values).write(
            to: URL(fileURLWithPath: folder + "/provenance.json"), options: .atomic)
    }
}
