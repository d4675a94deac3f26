import Foundation

/// Runs the program as a user does, and keeps what it says.
struct Tool {
    var status: Int32
    var output: String
    var errors: String

    /// The program that was built together with these tests.
    static let path: String = {
        let bundle = CommandLine.arguments[0]
        var folder = URL(fileURLWithPath: bundle).deletingLastPathComponent()
        for _ in 0..<6 {
            let candidate = folder.appendingPathComponent("lenticular").path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            folder.deleteLastPathComponent()
        }
        return packageRoot + "/.build/release/lenticular"
    }()

    /// The folder of Package.swift.
    static let packageRoot = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Runs the program to its end.
    static func run(_ arguments: String..., in folder: String? = nil) throws -> Tool {
        let process = start(arguments, in: folder)
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // The pipes are read to their ends on two threads, so that neither can fill up and block the program.
        nonisolated(unsafe) var errorText = Data()
        let reader = Thread { errorText = errors.fileHandleForReading.readDataToEndOfFile() }
        reader.start()
        let outputText = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        while !reader.isFinished { usleep(1000) }
        return Tool(
            status: process.terminationStatus, output: String(decoding: outputText, as: UTF8.self),
            errors: String(decoding: errorText, as: UTF8.self))
    }

    /// A process that is not started yet.
    static func start(_ arguments: [String], in folder: String? = nil) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder ?? packageRoot)
        process.standardInput = FileHandle.nullDevice
        return process
    }

    /// A folder that is removed after `body`.
    static func withTemporaryFolder(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "lenticular-tool-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }
}
