import ArgumentParser
import Foundation
import Pipelines
import Tensors

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a pipeline: a folder of images in, a run folder out.",
        discussion: """
            The run folder holds catalog.fits and .ecsv, embeddings.fits, failures.ecsv, contact_sheet.png, \
            scores.png, provenance.json and run.yaml. A file that cannot be used becomes a row in failures.ecsv.

            Exit status: 0 all inputs used; 3 finished, some inputs failed; 1 the run could not be made; \
            130 interrupted (continue with --resume).
            """)

    @Argument(help: "Run file (YAML), or the name of one that ships with the program, such as quickstart.")
    var pipeline: String

    @OptionGroup var options: RunOptions

    func run() throws {
        let specification = try PipelineSpecification.read(path: InstalledFiles.pipeline(named: pipeline))
        try options.execute(specification)
    }
}

struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Compute the embeddings of images.",
        discussion: """
            Writes RUN/embeddings.fits with the columns id_str, file_loc and the vector column embedding, and a \
            catalog without scores.
            """)

    @Argument(help: "Folders and files to read.")
    var paths: [String]

    @Option(help: "Arithmetic of the matrix products: float32, bfloat16 or int8; --set embed.precision is the same.")
    var precision: Precision = .float32

    @Option(
        help: """
            Attention algorithm: automatic, vfa, fa2, fa4, naive, or vsa with its threshold and perhaps a tolerance, such as vsa:0.001:0.01; --set embed.attention is \
            the same.
            """)
    var attention: AttentionVariant = .automatic

    @OptionGroup var options: OutputOptions

    func run() throws {
        var specification = PipelineSpecification(name: "embed", seed: 1, stages: [.load, .stamp, .embed, .catalog])
        try specification.set("embed.precision=\(precision)")
        try specification.set("embed.attention=\(attention)")
        try options.execute(specification, input: paths)
    }
}

/// Options that every command which makes a run folder has.
struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "Run folder to make.")
    var output: String

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override a setting of the run file; may be repeated.", valueName: "stage.key=value"))
    var overrides: [String] = []

    @Flag(help: "Continue an interrupted run.")
    var resume = false

    @Flag(help: "Replace an earlier run in the same folder.")
    var overwrite = false

    @Flag(name: .shortAndLong, help: "No progress bar and no summary.")
    var quiet = false

    func execute(_ specification: PipelineSpecification, input: [String]) throws {
        var specification = specification
        for override in overrides { try specification.set(override) }
        let interruption = Interruption()
        let runner = PipelineRunner(
            specification: specification, input: input, output: RunFolder(path: output), resume: resume,
            overwrite: overwrite, quiet: quiet, commandLine: CommandLine.arguments,
            isInterrupted: { interruption.requested })
        let summary = try runner.run()
        if !quiet { print(summary.text) }
        if summary.interrupted { throw ExitCode(130) }
        if summary.failures > 0 { throw ExitCode(3) }
    }
}

struct RunOptions: ParsableArguments {
    @Option(
        name: .shortAndLong, parsing: .upToNextOption,
        help: "Folders and files to read.")
    var input: [String]

    @OptionGroup var output: OutputOptions

    func execute(_ specification: PipelineSpecification) throws {
        try output.execute(specification, input: input)
    }
}
