import AstroIO
import Datasets
import Foundation
import ImageProcessing
import Tensors
import Testing

@Suite("Spectra of bands")
struct SpectrumTests {
    @Test("bands are known by the names that surveys give them")
    func names() {
        #expect(Passband.wavelength(of: "g") == 480 && Passband.wavelength(of: "Ks") == 2150)
        #expect(Passband.wavelength(of: "F814W") == 814 && Passband.wavelength(of: "F160W") == 1600)
        #expect(Passband.wavelength(of: "r_sdss") == 625 && Passband.wavelength(of: "g-band") == 480)
        #expect(Passband.wavelength(of: "grey") == nil && Passband.wavelength(of: "") == nil)
        #expect(Passband.wavelengths(of: ["R", "G", "B"]) == [770, 625, 480])
        #expect(Passband.wavelengths(of: ["grey"]) == [625])
        #expect(Passband.wavelengths(of: ["band1", "band2"]) == [480, 910])
    }

    @Test("a spectrum is interpolated in the logarithm of the wavelength and constant beyond its ends")
    func interpolation() {
        let grid = SpectralGrid(wavelengths: [400, 800, 1600])
        // Half-way between 400 and 1600 in the logarithm is 800.
        #expect(grid.sample([1, 3], bands: [400, 1600]).map { ($0 * 1e4).rounded() / 1e4 } == [1, 2, 3])
        #expect(grid.sample([3, 1], bands: [1600, 400]).map { ($0 * 1e4).rounded() / 1e4 } == [1, 2, 3])
        #expect(grid.sample([5], bands: [700]) == [5, 5, 5])
        #expect(grid.sample([1, 2, 3], bands: [400, 800, 1600]) == [1, 2, 3])
        // Two bands of one wavelength share.
        #expect(grid.sample([1, 3, 7], bands: [400, 400, 1600])[0] == 2)
        for row in SpectralGrid.optical.weights(forBandsAt: [354, 480, 622, 770, 1020, 2150]) {
            #expect(abs(row.reduce(0, +) - 1) < 1e-5 && row.allSatisfy { $0 >= 0 })
        }
    }

    @Test("a stamp of any number of bands has the model's channels, and a grey one is grey at all wavelengths")
    func stamps() throws {
        let normalization = StampNormalization(
            size: 32, spectrum: .optical, mean: [Float](repeating: 0.1, count: 8),
            deviation: [Float](repeating: 0.2, count: 8))
        let reader = StampReader(normalization: normalization)
        let folder = FileManager.default.temporaryDirectory.appending(path: "spectra-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let colour = GalaxySimulator(seed: 3, size: 48).object(0).image
        func stamp(_ image: Image) throws -> Stamp {
            try FITSImageWriter.write(image, to: folder + "/x.fits")
            return try reader.stamp(of: FileDiscovery.object(joining: [folder + "/x.fits"]))
        }
        let three = try stamp(colour)
        #expect(three.values.count == 8 * 1024 && three.values.allSatisfy(\.isFinite))
        let planes = (0..<8).map { Array(three.values[($0 * 1024)..<(($0 + 1) * 1024)]) }
        // Beyond g and z there is nothing else to see; between them the bands differ.
        #expect(planes[0] == planes[1] && planes[4] == planes[7] && planes[1] != planes[2])
        let one = try stamp(try colour.selecting(bands: ["r"]))
        #expect(
            (1..<8).allSatisfy { Array(one.values[($0 * 1024)..<(($0 + 1) * 1024)]) == Array(one.values[0..<1024]) })
        #expect(one.bands == ["r"])
    }

    @Test("brightness of one band is the grey picture, and rows are turned to begin at the top")
    func brightness() throws {
        let image = try GalaxySimulator(seed: 2, size: 48).object(0).image.selecting(bands: ["r"])
        let plane = Composite.brightness(of: image)[0]
        let picture = Composite.rgb(from: image)
        for index in stride(from: 0, to: plane.count, by: 41) where plane[index] < 1 {
            #expect(abs(plane[index] * 255 - Float(picture.samples[3 * index])) < 0.51)
        }
    }

    @Test("the corpus keeps pictures of any bands with eight bits, and cuts fields into tiles if asked to")
    func corpus() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "corpus-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let image = GalaxySimulator(seed: 4, size: 96).object(0).image
        try FITSImageWriter.write(image, to: folder + "/a.fits")
        try FITSImageWriter.write(try image.selecting(bands: ["g"]), to: folder + "/b.fits")
        let objects = ["a", "b"].map { FileDiscovery.object(joining: [folder + "/\($0).fits"]) }
        let whole = try PretrainingCorpus(objects: objects, size: 24)
        #expect(whole.count == 2 && whole.failures.isEmpty)
        #expect(whole.picture(0).wavelengths == [480, 625, 910] && whole.picture(1).wavelengths == [480])
        let exact = try StampReader(
            normalization: StampNormalization(size: 24, mean: [0, 0, 0], deviation: [1, 1, 1])
        ).brightness(of: objects[0]).planes
        let scale = max(1, exact.max()!)
        for (kept, value) in zip(whole.picture(0).planes, exact) {
            #expect(abs(kept - max(value, 0)) <= 0.502 * scale / 255)
        }
        // 96 = 4 · 24: sixteen tiles of each.
        #expect(try PretrainingCorpus(objects: objects, size: 24, tilingFields: true).count == 32)
    }
}
