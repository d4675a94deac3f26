import Foundation

/// The program Tests/LabelWriter at work on a store.
struct Writer {
    let process = Process()
    private let output = Pipe()

    static let path: String = {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        for _ in 0..<6 {
            let candidate = folder.appendingPathComponent("LabelWriter").path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            folder.deleteLastPathComponent()
        }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return package.path + "/.build/release/LabelWriter"
    }()

    /// Starts one and waits until it is ready to decide.
    init(_ store: String, labeller: String, count: Int) throws {
        process.executableURL = URL(fileURLWithPath: Self.path)
        process.arguments = [store, labeller, "\(count)"]
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        _ = try output.fileHandleForReading.read(upToCount: 6)
    }

    /// Kills it without warning.
    ///
    /// - Returns: what it was told is on the disk, whole lines only.
    func kill() -> (decisions: [(id: Int64, object: String, answer: String)], undone: [Int64]) {
        Glibc.kill(process.processIdentifier, SIGKILL)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        var decisions: [(id: Int64, object: String, answer: String)] = []
        var undone: [Int64] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ").map(String.init)
            if words.count == 3, let id = Int64(words[0]) { decisions.append((id, words[1], words[2])) }
            if words.count == 2, words[0] == "undone", let id = Int64(words[1]) { undone.append(id) }
        }
        return (decisions, undone)
    }
}
