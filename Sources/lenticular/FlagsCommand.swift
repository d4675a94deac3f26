import ArgumentParser
import AstroIO
import Foundation

struct FlagsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flags",
        abstract: "Decode the quality flags of a catalog row, or list them all.",
        discussion: "Flags are powers of two; a row's value is their sum. `lenticular flags 5` names the flags 1 and 4."
    )

    @Argument(help: "Values of the column `flags`; none lists the registry.")
    var values: [Int32] = []

    func run() throws {
        if values.isEmpty {
            for flag in QualityFlags.registry { print(Self.row(flag)) }
        }
        for value in values {
            let flags = QualityFlags.decode(value)
            print("\(value): \(flags.isEmpty ? "no flag is set" : flags.map(\.name).joined(separator: ", "))")
            for flag in flags { print(Self.row(flag)) }
        }
    }

    private static func row(_ flag: QualityFlag) -> String {
        let value = String(flag.value)
        let padded = String(repeating: " ", count: max(0, 8 - value.count)) + value
        return "\(padded)  \(flag.name.padding(toLength: 22, withPad: " ", startingAt: 0))  \(flag.description)"
    }
}
