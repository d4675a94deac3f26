import ArgumentParser

@main
struct Lenticular: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lenticular", abstract: "Galaxy-image analysis: survey images in, catalogs out.")
}
