import ArgumentParser

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a head for a task on the pre-trained backbone.",
        subcommands: [TrainMorphologyCommand.self])
}
