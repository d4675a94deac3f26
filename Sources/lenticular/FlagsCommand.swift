import ArgumentParser
import AstroIO
import Foundation

struct FlagsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flags",
        abstract: "Decode the quality flags of a catalog row, or list them all.",
        discussion: """
            Flags are powers of two; a row's value is their sum. `lenticular flags 1040` names the flags of a value, \
            `lenticular flags edge_touch padded_stamp` gives the value of names.
            """)

    @Argument(help: "A value of the column `flags`, several of them, or names; nothing lists the registry.")
    var values: [String] = []

    func run() throws {
        if values.isEmpty {
            for flag in QualityFlags.registry { print(Self.row(flag)) }
            return
        }
        let numbers = values.compactMap { Int32($0) }
        guard numbers.count == values.count else {
            guard let flags = QualityFlags(names: values) else {
                throw ValidationError(
                    "'\(values.joined(separator: " "))': expected values or names of flags; `lenticular flags` lists them"
                )
            }
            print(flags.rawValue)
            return
        }
        for number in numbers {
            let flags = QualityFlags.decode(number)
            print("\(number): \(flags.isEmpty ? "no flag is set" : flags.map(\.name).joined(separator: ", "))")
            for flag in flags { print(Self.row(flag)) }
        }
    }

    private static func row(_ flag: QualityFlag) -> String {
        let value = String(flag.value)
        let padded = String(repeating: " ", count: max(0, 8 - value.count)) + value
        return "\(padded)  \(flag.name.padding(toLength: 22, withPad: " ", startingAt: 0))  \(flag.description)"
    }
}
