import ArgumentParser

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a network for a task.",
        subcommands: [
            TrainMorphologyCommand.self, TrainDetectionCommand.self, TrainParametersCommand.self,
            TrainRestorationCommand.self, TrainAutoencoderCommand.self,
        ])
}
