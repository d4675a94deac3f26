import AstroIO
import Foundation
import TestSupport
import Testing

/// Files come from strangers: whatever their bytes are, there is an image or an error that names the file.
@Suite("Damaged images are an error or an image, never a crash")
struct DamagedImageTests {
    /// A small generator (SplitMix64), so that every run mutates alike.
    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// Mutations of each file; `$LENTICULAR_FUZZ_CASES` asks for more.
    static let cases = ProcessInfo.processInfo.environment["LENTICULAR_FUZZ_CASES"].flatMap { Int($0) } ?? 250

    /// Valid files of every kind, by name.
    static func validFiles() throws -> [(name: String, bytes: [UInt8])] {
        var files: [(String, [UInt8])] = []
        try withTemporaryFolder { folder in
            let image = try FITSImageWriterTests.sample()
            for (index, options) in FITSImageWriterTests.options.enumerated() {
                try FITSImageWriter.write(image, to: folder + "/\(index).fits", options: options)
                files.append(("\(index).fits", try bytes(folder + "/\(index).fits")))
            }
            for program in ["gzip", "bzip2"] where FileManager.default.isExecutableFile(atPath: "/usr/bin/" + program) {
                try FITSImageWriter.write(image, to: folder + "/packed.fits")
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/usr/bin/" + program)
                process.arguments = [folder + "/packed.fits"]
                try process.run()
                process.waitUntilExit()
                let ending = program == "gzip" ? ".gz" : ".bz2"
                files.append(("packed.fits" + ending, try bytes(folder + "/packed.fits" + ending)))
            }
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: PictureTests.folder).sorted()
        where !name.hasSuffix("csv") {
            files.append((name, try bytes(PictureTests.folder + "/" + name)))
        }
        return files
    }

    private static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Reads a file, and checks what an error says.
    private static func read(_ path: String) {
        do {
            let image = try ImageReader.read(path)
            #expect(image.pixels.count == image.bands.count * image.width * image.height)
        } catch {
            #expect(error.path == path && !error.reason.isEmpty, "\(error)")
        }
        _ = try? ImageReader.describe(path)
    }

    @Test("bits flipped, bytes replaced, parts cut out or doubled, numbers in headers changed")
    func mutations() throws {
        try withTemporaryFolder { folder in
            for (name, valid) in try Self.validFiles() {
                var random = Generator(state: UInt64(name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) }))
                let path = folder + "/" + name
                for _ in 0..<Self.cases {
                    var bytes = valid
                    for _ in 0..<Int.random(in: 1...4, using: &random) { Self.mutate(&bytes, &random) }
                    try Data(bytes).write(to: URL(fileURLWithPath: path))
                    Self.read(path)
                }
            }
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout Generator) {
        guard bytes.count > 8 else { return }
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(at...)
        case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...3000, using: &random)))
        case 4:
            let part = bytes[at..<min(bytes.count, at + Int.random(in: 1...3000, using: &random))]
            bytes.insert(contentsOf: part, at: Int.random(in: 0..<bytes.count, using: &random))
        case 5:
            // A digit of a header, where the sizes are.
            let header = min(bytes.count, 8640)
            let digits = (0..<header).filter { (48...57).contains(bytes[$0]) }
            if let index = digits.randomElement(using: &random) {
                bytes[index] = UInt8(ascii: "0") + UInt8.random(in: 0...9, using: &random)
            }
        default:
            for index in at..<min(bytes.count, at + 16) {
                bytes[index] = [0, 255, 0x80][Int.random(in: 0..<3, using: &random)]
            }
        }
    }

    @Test("every truncation")
    func truncations() throws {
        try withTemporaryFolder { folder in
            for (name, valid) in try Self.validFiles() {
                let path = folder + "/" + name
                for length in stride(from: 0, to: valid.count, by: max(1, valid.count / 60)) {
                    try Data(valid[..<length]).write(to: URL(fileURLWithPath: path))
                    Self.read(path)
                }
            }
        }
    }

    @Test("files of other kinds, folders, empty and missing files say what is wrong")
    func otherFiles() throws {
        try withTemporaryFolder { folder in
            func expect(_ path: String, _ kind: ImageError.Kind) {
                #expect { try ImageReader.read(path) } throws: { ($0 as? ImageError)?.kind == kind }
            }
            expect(folder, .access)
            expect(folder + "/missing.fits", .access)
            try Data().write(to: URL(fileURLWithPath: folder + "/empty.fits"))
            expect(folder + "/empty.fits", .damaged)
            try Data("<html>not found</html>".utf8).write(to: URL(fileURLWithPath: folder + "/page.fits"))
            expect(folder + "/page.fits", .format)
        }
    }

    @Test("sizes that no file holds are refused before memory is asked for")
    func impossibleSizes() throws {
        func card(_ text: String) -> String { text + String(repeating: " ", count: 80 - text.utf8.count) }
        try withTemporaryFolder { folder in
            let path = folder + "/huge.fits"
            for axes in [
                [999_999_999, 999_999_999], [2_000_000_000, 2], [0, 5], [-4, 5], [70_000, 70_000, 70_000],
            ] {
                var header = card("SIMPLE  =                    T") + card("BITPIX  =                  -32")
                header += card("NAXIS   = \(String(repeating: " ", count: 19))\(axes.count)")
                for (index, length) in axes.enumerated() {
                    let text = String(length)
                    header += card("NAXIS\(index + 1)  = " + String(repeating: " ", count: 20 - text.count) + text)
                }
                header += card("END")
                header += String(repeating: " ", count: 2880 - header.utf8.count) + String(repeating: "\0", count: 2880)
                try Data(header.utf8).write(to: URL(fileURLWithPath: path))
                #expect(throws: ImageError.self, "\(axes)") { try ImageReader.read(path) }
            }
        }
    }

    @Test("images of NaN only and wholly masked ones load, and say so in the mask")
    func withoutContent() throws {
        let image = Image(bands: ["r"], width: 8, height: 8, pixels: [Float](repeating: .nan, count: 64))
        try withTemporaryFolder { folder in
            try FITSImageWriter.write(image, to: folder + "/nan.fits")
            let back = try ImageReader.read(folder + "/nan.fits")
            #expect(back.maskFraction == 1 && back.mask?.allSatisfy { $0.contains(.noData) } == true)
        }
    }
}
