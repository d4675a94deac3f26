import ArgumentParser
import Pipelines

@main
struct Lenticular: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lenticular",
        abstract: "Galaxy-image analysis: survey images in, catalogs out.",
        discussion: """
            Start with a folder of FITS, PNG or JPEG images:

              lenticular run quickstart --input FOLDER --output RUN

            RUN/contact_sheet.png then shows the most unusual objects and RUN/catalog.fits lists them all.
            """,
        version: ProgramVersion.current,
        subcommands: [
            RunCommand.self, ClassifyCommand.self, DetectCommand.self, MeasureCommand.self, RestoreCommand.self,
            OutliersCommand.self, SimilarCommand.self,
            EmbedCommand.self, TrainCommand.self, PretrainCommand.self, SimulateCommand.self, ViewCommand.self,
            QueueCommand.self, ReviewCommand.self, LearnCommand.self, LabelsCommand.self,
            InfoCommand.self, FlagsCommand.self, ConfigCommand.self, BenchCommand.self,
        ])
}
