import AstroIO
import Datasets
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Simulated fields")
struct SimulatedFieldTests {
    private static var small: FieldSettings {
        var settings = FieldSettings()
        settings.size = 128
        settings.resolvedGalaxies = 6
        return settings
    }

    @Test("a field depends on seed and number only, not on threads and order")
    func determinism() {
        let simulator = FieldSimulator(seed: 5, settings: Self.small)
        let inOrder = (0..<4).map { simulator.field($0) }
        let results = Mutex<[Int: SimulatedField]>([:])
        DispatchQueue.concurrentPerform(iterations: 4) { index in
            let field = FieldSimulator(seed: 5, settings: Self.small).field(3 - index)
            results.withLock { $0[3 - index] = field }
        }
        for (index, field) in inOrder.enumerated() {
            let other = results.withLock { $0[index] }
            #expect(other?.image.pixels == field.image.pixels && other?.sources == field.sources)
            #expect(other?.segmentation == field.segmentation && other?.artefacts == field.artefacts)
        }
        #expect(FieldSimulator(seed: 6, settings: Self.small).field(0).image.pixels != inOrder[0].image.pixels)
    }

    @Test("numbers in the segmentation are those of the sources, where their light is")
    func segmentation() throws {
        let field = FieldSimulator(seed: 3, settings: Self.small.withoutArtefacts).field(1)
        var counts: [Int: Int] = [:]
        for number in field.segmentation where number > 0 { counts[Int(number), default: 0] += 1 }
        #expect(!counts.isEmpty)
        for (index, source) in field.sources.enumerated() {
            #expect(source.id == index + 1)
            #expect(source.visiblePixels == counts[source.id] ?? 0)
        }
        #expect(counts.keys.allSatisfy { (1...field.sources.count).contains($0) })
        // The centre of a bright isolated source belongs to it.
        let clear = field.sources.filter {
            $0.visiblePixels > 30 && !$0.blended && $0.kind != .merger && $0.kind != .irregular
                && (2..<125).contains($0.x) && (2..<125).contains($0.y)
        }
        #expect(!clear.isEmpty)
        for source in clear {
            let pixel = Int(source.y.rounded()) * 128 + Int(source.x.rounded())
            #expect(Int(field.segmentation[pixel]) == source.id)
        }
        // Pixels of sources are brighter than those of the sky.
        let plane = field.noiseless[(128 * 128)..<(2 * 128 * 128)]
        func mean(_ inside: Bool) -> Double {
            let values = zip(field.segmentation, plane).filter { ($0.0 > 0) == inside }.map { Double($0.1) }
            return values.reduce(0, +) / Double(max(1, values.count))
        }
        #expect(mean(true) > 5 * mean(false))
    }

    @Test("sky positions are those of the pixel positions by the image's WCS")
    func positions() throws {
        let field = FieldSimulator(seed: 4, settings: Self.small).field(0)
        let wcs = try #require(field.image.wcs)
        #expect(!field.sources.isEmpty)
        for source in field.sources {
            let pixel = try #require(wcs.skyToPixel(ra: source.ra, dec: source.dec))
            #expect(abs(pixel.x - source.x) < 1e-6 && abs(pixel.y - source.y) < 1e-6)
        }
        #expect(abs(wcs.pixelScaleArcsec - 0.262) < 1e-6 && wcs.isSkyParity)
    }

    @Test("every defect is flagged in the mask, and only defects are; unflagged pixels differ by noise from the light")
    func artefacts() throws {
        var settings = Self.small
        (settings.cosmicRays, settings.trails, settings.badColumns) = (800, 1, 15)
        settings.saturationMagnitude = 21
        var kinds: Set<ArtefactTruth.Kind> = []
        for index in 0..<3 {
            let field = FieldSimulator(seed: 8, settings: settings).field(index)
            let (mask, variance) = (try #require(field.image.mask), try #require(field.image.variance))
            let flags: [ArtefactTruth.Kind: PixelMask] = [
                .saturation: .saturated, .cosmicRay: .cosmicRay, .trail: .bad, .badColumn: .bad,
            ]
            for (kind, flag) in flags where kind != .trail {
                let recorded = field.artefacts.filter { $0.kind == kind || (flag == .bad && $0.kind == .trail) }
                kinds.formUnion(recorded.map(\.kind))
                let flagged = mask.count { $0.contains(flag) }
                // Defects may cross, so there can be fewer pixels than the sum; never more.
                #expect(flagged <= recorded.reduce(0) { $0 + $1.pixels })
                #expect((flagged > 0) == !recorded.isEmpty)
            }
            var (count, outliers, squares) = (0, 0, 0.0)
            for pixel in mask.indices where mask[pixel].isEmpty {
                let pull = Double((field.image.pixels[pixel] - field.noiseless[pixel]) / variance[pixel].squareRoot())
                (count, squares) = (count + 1, squares + pull * pull)
                if abs(pull) > 6 { outliers += 1 }
            }
            #expect(outliers == 0)
            #expect(abs((squares / Double(count)).squareRoot() - 1) < 0.03)
        }
        #expect(kinds == Set(ArtefactTruth.Kind.allCases))
    }

    @Test("the light in a field is that of the sources in it; sharp and fine hold the same flux")
    func flux() throws {
        var settings = Self.small.withoutArtefacts
        (settings.sharpFWHM, settings.fineFactor) = (0.7, 2)
        settings.seeingFactor = 1...1
        let field = FieldSimulator(seed: 21, settings: settings).field(2)
        let (sharp, fine) = (try #require(field.sharp), try #require(field.fine))
        let plane = 128 * 128
        for band in 0..<3 {
            let total = field.noiseless[(band * plane)..<((band + 1) * plane)].reduce(0.0) { $0 + Double($1) }
            let sharpTotal = sharp[(band * plane)..<((band + 1) * plane)].reduce(0.0) { $0 + Double($1) }
            let fineTotal = fine[(band * 4 * plane)..<((band + 1) * 4 * plane)].reduce(0.0) { $0 + Double($1) }
            #expect(abs(fineTotal - sharpTotal) < 1e-3 * sharpTotal)
            #expect(abs(sharpTotal - total) < 0.03 * total)
        }
        // A pixel of the coarse image is four of the fine one.
        for (x, y) in [(64, 64), (20, 90), (101, 33)] {
            let four = [0, 1, 256, 257].reduce(Float(0)) { $0 + fine[(2 * y) * 256 + 2 * x + $1] }
            #expect(abs(four - sharp[y * 128 + x]) < 1e-4 * max(1, abs(four)))
        }
    }

    @Test("a lone galaxy of each kind has the flux that its magnitude says", arguments: SourceKind.allCases)
    func magnitudes(_ kind: SourceKind) throws {
        let blank = Image(
            bands: ["g", "r", "z"], width: 257, height: 257, pixels: [Float](repeating: 0, count: 3 * 257 * 257))
        var injector = SourceInjector(seed: 2, count: 1, magnitudes: 17...17.001)
        (injector.fwhm, injector.zeroPoint, injector.pixelScale, injector.kinds) = (1.0, 22.5, 0.262, [kind])
        injector.position = (128.3, 127.8)
        let result = try injector.inject(into: blank)
        let source = try #require(result.sources.first)
        #expect(source.kind == kind)
        // Ellipticals reach beyond the image: 33.7″ from the middle.
        let inside =
            kind == .elliptical || kind == .lens
            ? SersicProfile(index: source.sersicIndex, halfLightRadius: source.halfLightRadius)
                .fluxFraction(within: 33.7 / source.axisRatio.squareRoot()) : 1
        for band in 0..<3 {
            let plane = result.image.pixels[(band * 257 * 257)..<((band + 1) * 257 * 257)]
            let magnitude = SurveyBand.magnitude(flux: plane.reduce(0.0) { $0 + Double($1) })
            let expected = source.magnitudes[band] - 2.5 * log10(inside)
            #expect(abs(magnitude - expected) < 0.015, "\(magnitude), not \(expected)")
        }
    }

    @Test("files read back: image, planes, segmentation and truth fit together")
    func files() throws {
        try withTemporaryFolder { folder in
            let simulator = FieldSimulator(seed: 2, settings: Self.small)
            try FieldWriter(simulator).write(count: 2, to: folder, workers: 2)
            let truth = try Catalog.read(folder + "/truth.fits")
            #expect(try Catalog.read(folder + "/truth.ecsv").rowCount == truth.rowCount)
            let field = simulator.field(1)
            let path = folder + "/field-00002.fits.fz"
            let image = try ImageReader.read(path)
            #expect(image.bands == ["g", "r", "z"] && image.mask == field.image.mask && image.variance != nil)
            let numbers = try ImageReader.read(path, options: ImageReadOptions(hdu: "SEGMENTATION"))
            #expect(numbers.pixels.map { Int32($0) } == field.segmentation)
            let files = try #require(truth["file_loc"]?.strings)
            let kinds = try #require(truth["kind"]?.strings)
            let own = files.indices.filter { files[$0] == "field-00002.fits.fz" }
            #expect(own.map { kinds[$0] } == field.sources.map { $0.kind.rawValue })
            let artefacts = try Catalog.read(folder + "/artefacts.ecsv")
            #expect(artefacts.rowCount == (0..<2).reduce(0) { $0 + simulator.field($1).artefacts.count })
        }
    }

    @Test("settings that make no sense are named")
    func problems() {
        var settings = FieldSettings()
        #expect(settings.problem == nil)
        settings.size = 4
        #expect(settings.problem?.hasPrefix("size") == true)
        settings = FieldSettings()
        settings.fineFactor = 3
        #expect(settings.problem?.hasPrefix("fineFactor") == true)
    }
}
