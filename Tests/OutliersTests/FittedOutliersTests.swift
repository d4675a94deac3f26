import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Inference
import Models
import Outliers
import Tensors
import TestSupport
import Testing

@Suite struct FittedOutliersTests {
    private static let normalization = StampNormalization(size: 2, mean: [0, 0, 0], deviation: [1, 1, 1])
    private static let width = 12

    /// Points of a Gaussian cloud, and one far from it.
    private static func archive(_ count: Int) -> (VectorSet, [FittedOutliers.Member]) {
        var random = RandomNumbers(seed: 4)
        var values = (0..<(count * width)).map { _ in random.normal() }
        for index in 0..<width { values[7 * width + index] += 6 }
        return (
            VectorSet(count: count, width: width, values: values),
            (0..<count).map { .init(id: "object \($0)", files: ["/images/\($0).fits"]) }
        )
    }

    @Test("The point far from the cloud has the highest score, which is the mean distance to its neighbours")
    func scores() throws {
        let (archive, members) = Self.archive(60)
        let (fitted, judgements) = try FittedOutliers.fit(
            OutlierSettings(.knn, k: 5), encoder: .pixels(Self.normalization), archive: archive, members: members)
        let highest = judgements.indices.max { judgements[$0].score < judgements[$1].score }
        #expect(highest == 7)
        func distance(_ a: Int, _ b: Int) -> Double {
            (0..<Self.width).reduce(0.0) {
                let difference =
                    Double(archive.values[a * Self.width + $1]) - Double(archive.values[b * Self.width + $1])
                return $0 + difference * difference
            }.squareRoot()
        }
        let nearest = (0..<60).filter { $0 != 7 }.sorted { distance(7, $0) < distance(7, $1) }.prefix(5)
        #expect(judgements[7].neighbours == Array(nearest))
        #expect(abs(judgements[7].score - nearest.reduce(0) { $0 + distance(7, $1) } / 5) < 1e-5)
        #expect(fitted.archivePercentile(judgements[7].score) == 100 * 59 / 60.0)
        #expect(fitted.archivePercentile(0) == 0 && fitted.archivePercentile(.nan).isNaN)
    }

    @Test("A member that is scored again is not its own neighbour; a copy in another file is at distance 0")
    func itself() throws {
        let (archive, members) = Self.archive(30)
        let (fitted, judgements) = try FittedOutliers.fit(
            OutlierSettings(.knn, k: 4), encoder: .pixels(Self.normalization), archive: archive, members: members)
        let again = try fitted.judgements(archive, files: members.map(\.files))
        for (first, second) in zip(judgements, again) {
            #expect(first.neighbours == second.neighbours && abs(first.score - second.score) < 1e-9)
        }
        let copies = try fitted.judgements(archive, files: members.map { _ in ["/elsewhere.fits"] })
        for (index, copy) in copies.enumerated() { #expect(copy.neighbours[0] == index && copy.distances[0] == 0) }
        let found = try fitted.nearest(to: fitted.vector(of: 3), count: 100)
        #expect(found.count == 29 && found[0].member == 3 && found[0].distance == 0)
    }

    @Test("A file gives back method, network, archive and names", arguments: ["knn", "attcae"])
    func files(method: String) throws {
        try withTemporaryFolder { folder in
            let settings = OutlierSettings(try #require(OutlierMethod(rawValue: method)), k: 3, standardise: true)
            let network = try ConvolutionalAutoencoder(
                AutoencoderConfiguration(
                    kind: .attention, channels: 3, size: 16, widths: [4, 4, 4], latent: Self.width / 2),
                seed: 1, backend: CPUBackend(threads: 1))
            let encoder: StampEncoder =
                method == "knn"
                ? .pixels(Self.normalization)
                : .autoencoder(
                    network, StampNormalization(size: 16, mean: [0, 0, 0], deviation: [1, 1, 1]), views: 4)
            var (archive, members) = Self.archive(20)
            members[3].id = "Überraschung \"3\""
            let (fitted, _) = try FittedOutliers.fit(settings, encoder: encoder, archive: archive, members: members)
            let path = folder + "/fitted.safetensors"
            try fitted.save(to: path)
            let loaded = try FittedOutliers.load(path: path) { _ in throw InferenceError(path: "", "no backbone") }
            #expect(loaded.settings == settings && loaded.members == members)
            #expect(loaded.archive.values == archive.values)
            #expect(loaded.encoder.normalization == encoder.normalization)
            let stamps = (0..<(encoder.normalization.size * encoder.normalization.size * 3)).map { Float($0 % 7) }
            #expect(loaded.encoder.vectors(stamps, count: 1) == encoder.vectors(stamps, count: 1))
            archive = VectorSet(count: 2, width: Self.width, values: Array(archive.values.prefix(2 * Self.width)))
            let (a, b) = (
                try fitted.judgements(archive, files: [[], []]), try loaded.judgements(archive, files: [[], []])
            )
            #expect(a == b)
        }
    }

    @Test("Too few objects, vectors of another width and files of something else are named")
    func errors() throws {
        let (archive, members) = Self.archive(8)
        #expect {
            try FittedOutliers.fit(
                OutlierSettings(.knn, k: 8), encoder: .pixels(Self.normalization), archive: archive, members: members)
        } throws: { ($0 as? OutlierError)?.kind == .tooFewVectors }
        let wrong = StampNormalization(size: 3, mean: [0, 0, 0], deviation: [1, 1, 1])
        #expect {
            try FittedOutliers.fit(
                OutlierSettings(.knn, k: 2), encoder: .pixels(wrong), archive: archive, members: members)
        } throws: { ($0 as? OutlierError)?.kind == .widthMismatch }
        try withTemporaryFolder { folder in
            let path = folder + "/other.safetensors"
            try SafetensorsWriter.write([("x", Tensor([1, 2], shape: [2], on: CPUBackend(threads: 1)))], to: path)
            #expect { try FittedOutliers.load(path: path) { _ in throw InferenceError(path: "", "") } } throws: {
                ($0 as? OutlierError)?.kind == .invalidFile && "\($0)".contains("other.safetensors")
            }
            #expect(throws: (any Error).self) {
                try FittedOutliers.load(path: folder + "/absent") { _ in throw InferenceError(path: "", "") }
            }
        }
    }

    @Test("The vector of an auto-encoder with 8 views is the same for a turned stamp")
    func views() throws {
        let network = try ConvolutionalAutoencoder(
            AutoencoderConfiguration(kind: .plain, channels: 1, size: 8, widths: [4, 4], latent: 6), seed: 2,
            backend: CPUBackend(threads: 1))
        let encoder = StampEncoder.autoencoder(
            network, StampNormalization(size: 8, spectrum: .init(wavelengths: [500]), mean: [0], deviation: [1]),
            views: 8)
        let stamp: [Float] = (0..<64).map { (index: Int) -> Float in Float(index * index % 13) }
        let turned: [Float] = (0..<64).map { (index: Int) -> Float in
            let (row, column) = (index % 8, 7 - index / 8)
            return stamp[row * 8 + column]
        }
        for (a, b) in zip(encoder.vectors(stamp, count: 1), encoder.vectors(turned, count: 1)) {
            #expect(abs(a - b) < 1e-4)
        }
    }

    @Test("Blank, mostly empty and saturated images are defects; galaxies with a bright core are not")
    func defects() throws {
        func stamp(_ pixels: [Float]) throws -> Stamp {
            let image = Image(bands: ["r"], width: 32, height: 32, pixels: pixels, unit: "nanomaggy")
            let reader = StampReader(
                normalization: StampNormalization(
                    size: 32, spectrum: .init(wavelengths: [625]), mean: [0], deviation: [1]))
            return try reader.stamp(of: image, ObjectFiles(id: "a", planes: [.init(path: "a.fits")]))
        }
        var random = RandomNumbers(seed: 6)
        var galaxy: [Float] = []
        for i in 0..<1024 {
            let u = Float(i % 32) - 15.5
            let v = Float(i / 32) - 15.5
            let squared: Float = u * u + v * v
            let light: Float = Float(Foundation.exp(-Double(squared) / 20))
            let value: Float = 30 * light + random.normal()
            galaxy.append(value)
        }
        func flags(_ pixels: [Float]) throws -> QualityFlags { StampDefects.flags(of: try stamp(pixels), channels: 1) }
        #expect(try flags(galaxy).isDisjoint(with: StampDefects.flags))
        #expect(try !flags([Float](repeating: 3, count: 1024)).isDisjoint(with: StampDefects.flags))
        #expect(try flags(galaxy.enumerated().map { $0 < 700 ? .nan : $1 }).contains(.lowCoverage))
        let saturated = galaxy.enumerated().map { $0 % 32 < 14 ? Float(1e5) : $1 }
        #expect(try flags(saturated).contains(.saturated))
        #expect(throws: StampError.self) { try stamp([Float](repeating: .nan, count: 1024)) }
    }
}
