import ArgumentParser
import Pipelines

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print a run file with every setting and what it means.",
        discussion: "Save it, change it, and give it to `lenticular run`.")

    @Argument(help: "Run file, or the name of one that ships with the program.")
    var pipeline = "quickstart"

    func run() throws {
        let path = try InstalledFiles.pipeline(named: pipeline)
        print(try PipelineSpecification.read(path: path).yaml(commented: true), terminator: "")
    }
}
