import ArgumentParser
import Datasets
import Pipelines

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Make galaxy images of which the truth is known.",
        discussion: """
            Writes FOLDER/sim-00001.fits.fz … (g, r, z in nanomaggies, TAN WCS) and FOLDER/truth.ecsv. Object number i of a \
            seed is the same however many are made.
            """)

    @Option(name: .shortAndLong, help: "Folder to write to.")
    var output: String

    @Option(name: .shortAndLong, help: "Number of objects.")
    var count = 120

    @Option(help: "Seed of everything random.")
    var seed: UInt64 = 1

    @Option(help: "Side of a stamp in pixels; even.")
    var size = 96

    @Option(help: "Arcseconds a pixel.")
    var pixelScale = 0.262

    @Option(help: "Share of unusual objects: rings, mergers, lenses, trails, irregulars.")
    var unusual: Float = 0.08

    @Flag(name: .shortAndLong, help: "No progress bar.")
    var quiet = false

    func validate() throws {
        if count < 1 { throw ValidationError("--count: expected at least 1") }
        if size < 16 || size > 2048 || size % 2 == 1 {
            throw ValidationError("--size: expected an even number from 16 to 2048")
        }
        if !(0...1).contains(unusual) { throw ValidationError("--unusual: expected 0 … 1") }
        if !(pixelScale > 0.01 && pixelScale < 100) {
            throw ValidationError("--pixel-scale: expected 0.01 … 100 arcsec")
        }
    }

    func run() throws {
        let interruption = Interruption()
        let simulator = GalaxySimulator(seed: seed, size: size, pixelScale: pixelScale, unusualShare: unusual)
        let progress = Progress("simulating", total: count, unit: "objects", enabled: !quiet)
        var done = 0
        try SampleGenerator(simulator).write(count: count, to: output) { number in
            done = number
            progress.update(number)
            return !interruption.requested
        }
        progress.finish(done)
        if done < count { throw ExitCode(130) }
    }
}
