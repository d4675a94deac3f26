import AstroIO
import Foundation
import ImageProcessing
import TestSupport
import Testing

/// What Python's sep measures in ``SyntheticField``; benchmarks/detection/make_sep_fixture.py made it.
struct SEPReference: Decodable {
    let x, y, a, b, theta: [Double]
    let npix, flag, xmin, ymax: [Int]
    let kron, flux, fluxError, radius: [Double]
    let globalLevel, globalNoise, corner, pixelSum: Double
}

/// The image that the reference was measured in: nine Gaussians on a sloping sky, two of them blended, one at the edge.
enum SyntheticField {
    static let side = 192
    static let sources: [(x: Double, y: Double, peak: Double, a: Double, b: Double, angle: Double)] = [
        (40.3, 50.7, 60, 2.2, 1.6, 0.5), (48.1, 54.2, 35, 1.7, 1.7, 0), (100, 30.5, 200, 1.8, 1.8, 0),
        (150.4, 90.2, 25, 6, 3, -0.7), (20.8, 150.3, 12, 2, 2, 0), (120.6, 140.9, 90, 4, 2, 1.2),
        (128, 147.5, 50, 2, 2, 0), (1.5, 100.2, 70, 2, 2, 0), (75.2, 185, 8, 3, 2.5, 0.2),
    ]

    static func pixels() -> [Float] {
        var state: UInt64 = 12345
        return (0..<(side * side)).map { i in
            let (x, y) = (Double(i % side), Double(i / side))
            var value = 100 + 0.05 * x + 0.02 * y
            for source in sources {
                let (dx, dy) = (x - source.x, y - source.y)
                let u = dx * cos(source.angle) + dy * sin(source.angle)
                let v = -dx * sin(source.angle) + dy * cos(source.angle)
                value += source.peak * exp(-0.5 * (u * u / (source.a * source.a) + v * v / (source.b * source.b)))
            }
            var total = 0.0
            for _ in 0..<4 {
                state = (state * 1_103_515_245 + 12345) % 2_147_483_648
                total += Double(state) / 2_147_483_648
            }
            return Float(value + (total - 2) * 3)
        }
    }

    static func image() -> Image {
        var mask = [PixelMask](repeating: [], count: side * side)
        for y in 60..<64 { for x in 98..<104 { mask[y * side + x] = .bad } }
        return Image(bands: ["r"], width: side, height: side, pixels: pixels(), mask: mask)
    }
}

@Suite struct SourceExtractionTests {
    private func expectClose(_ ours: [Double], _ theirs: [Double], _ tolerance: Double, _ what: Comment) {
        #expect(ours.count == theirs.count, what)
        for (a, b) in zip(ours, theirs) { #expect(abs(a - b) <= tolerance * max(1, abs(b)), what) }
    }

    @Test("Sources, shapes and AUTO photometry are those of Python's sep")
    func agreesWithSEP() throws {
        let reference = try fixture("detection/sep_reference.json", as: SEPReference.self)
        let image = SyntheticField.image()
        #expect(abs(Double(image.pixels[0]) - reference.corner) < 1e-4)
        #expect(abs(image.pixels.reduce(0) { $0 + Double($1) } - reference.pixelSum) < 1)
        let plane = try DetectionImage(image)
        #expect(abs(Double(plane.bands[0].sky.level) - reference.globalLevel) < 1e-3)
        #expect(abs(Double(plane.bands[0].sky.noise) - reference.globalNoise) < 1e-3)
        let segmentation = try SourceExtractor().extract(plane)
        let measured = try MeasuredSources(segmentation, in: plane)
        let sources = segmentation.sources
        #expect(sources.count == reference.x.count)
        expectClose(sources.map(\.x), reference.x, 1e-4, "x")
        expectClose(sources.map(\.y), reference.y, 1e-4, "y")
        expectClose(sources.map(\.a), reference.a, 1e-3, "a")
        expectClose(sources.map(\.b), reference.b, 1e-3, "b")
        expectClose(sources.map(\.theta), reference.theta, 1e-2, "theta")
        #expect(sources.map(\.area) == reference.npix)
        #expect(sources.map(\.flags) == reference.flag)
        #expect(sources.map(\.xMinimum) == reference.xmin)
        #expect(sources.map(\.yMaximum) == reference.ymax)
        expectClose(measured.detection.map(\.kronRadius), reference.kron, 1e-3, "Kron radius")
        expectClose(measured.detection.map(\.flux), reference.flux, 1e-3, "flux")
        expectClose(measured.detection.map(\.fluxError), reference.fluxError, 1e-3, "flux error")
        expectClose(measured.detection.map(\.halfLightRadius), reference.radius, 1e-2, "half-light radius")
    }

    @Test("Moments of a segment are those that the extraction measured")
    func momentsAgree() throws {
        let plane = try DetectionImage(SyntheticField.image())
        let segmentation = try SourceExtractor().extract(plane)
        let own = SegmentMoments.sources(of: segmentation.map, count: segmentation.sources.count, in: plane)
        for (source, moments) in zip(segmentation.sources, own) {
            let moments = try #require(moments)
            #expect(moments.area == source.area && moments.xMaximum == source.xMaximum)
            #expect(abs(moments.isophotalFlux - source.isophotalFlux) < 1e-3 * source.isophotalFlux)
            // SEP's moments are of the filtered image; these are not.
            guard source.flags == 0 else { continue }
            #expect(abs(moments.x - source.x) < 0.5 && abs(moments.y - source.y) < 0.5)
            #expect(abs(moments.a / source.a - 1) < 0.2)
        }
    }

    @Test("The magnitude of a known flux, its zero point from unit, keyword and option")
    func magnitudes() throws {
        var image = SyntheticField.image()
        image.unit = "nanomaggy"
        #expect(PhotometricZeroPoint(of: image).magnitude == 22.5)
        image.unit = nil
        #expect(PhotometricZeroPoint(of: image) == PhotometricZeroPoint(0, origin: "instrumental"))
        image.header.set(.init("MAGZERO", value: "27.5"))
        let zero = PhotometricZeroPoint(of: image)
        let measured = try MeasuredSources(
            SourceExtractor().extract(try DetectionImage(image)), in: try DetectionImage(image))
        let table = try SourceCatalog.table(measured, wcs: nil, zeroPoint: zero, unit: nil)
        let (fluxes, magnitudes) = (table["FLUX_AUTO"]!.doubles!, table["MAG_AUTO"]!.doubles!)
        for (flux, magnitude) in zip(fluxes, magnitudes) where flux > 0 {
            #expect(abs(magnitude - (27.5 - 2.5 * log10(flux))) < 1e-9)
        }
        // The third Gaussian stands alone: its flux is 2π · peak · σ².
        let x = table["X_IMAGE"]!.doubles!
        let row = try #require(x.indices.min { abs(x[$0] - 101) < abs(x[$1] - 101) })
        #expect(abs(x[row] - 101) < 0.1)
        #expect(abs(fluxes[row] / (2 * Double.pi * 200 * 1.8 * 1.8) - 1) < 0.05)
        #expect(table["ALPHA_J2000"]!.doubles!.allSatisfy { $0.isNaN })
    }

    @Test("Masked pixels hide a source, saturated ones are flagged")
    func masks() throws {
        var image = SyntheticField.image()
        for y in 20..<42 { for x in 90..<112 { image.mask![y * 192 + x] = .cosmicRay } }
        for y in 88..<93 { for x in 148..<153 { image.mask![y * 192 + x] = .saturated } }
        let plane = try DetectionImage(image)
        let measured = try MeasuredSources(SourceExtractor().extract(plane), in: plane)
        let sources = measured.segmentation.sources
        #expect(!sources.contains { abs($0.x - 100) < 4 && abs($0.y - 30.5) < 4 })
        let star = try #require(sources.firstIndex { abs($0.x - 150.4) < 2 && abs($0.y - 90.2) < 2 })
        #expect(measured.flags()[star] & 4 != 0)
        #expect(measured.flags().filter { $0 & 4 != 0 }.count == 1)
    }

    @Test("Two bands of noise √2 deeper find what one band does not")
    func severalBands() throws {
        let one = SyntheticField.image()
        var random = SystemSeed(state: 9)
        let second = one.pixels.map { $0 * 100 + Float.random(in: -150...150, using: &random) }
        let both = Image(
            bands: ["g", "r"], width: 192, height: 192, pixels: second + one.pixels, mask: one.mask! + one.mask!)
        let plane = try DetectionImage(both)
        #expect(plane.noise.allSatisfy { $0 == 1 })
        let measured = try MeasuredSources(SourceExtractor().extract(plane), in: plane)
        #expect(measured.bands[measured.referenceBand] == "r")
        let table = try SourceCatalog.table(
            measured, wcs: nil, zeroPoint: PhotometricZeroPoint(0, origin: "test"), unit: nil)
        // Band g is the same sky in units 100 times smaller.
        for (g, r) in zip(table["FLUX_AUTO_g"]!.doubles!, table["FLUX_AUTO_r"]!.doubles!) where r > 500 {
            #expect(abs(g / r / 100 - 1) < 0.1)
        }
        #expect(table["FLUX_AUTO"]!.doubles! == table["FLUX_AUTO_r"]!.doubles!)
    }

    @Test("Images without a usable pixel are named errors")
    func nothingToMeasure() {
        var image = SyntheticField.image()
        image.mask = [PixelMask](repeating: .bad, count: image.pixels.count)
        #expect(throws: ExtractionError(.noPixels, "every pixel is masked or not finite")) {
            try DetectionImage(image)
        }
        image.mask = nil
        image.pixels = [Float](repeating: .nan, count: image.pixels.count)
        #expect(throws: ExtractionError.self) { try DetectionImage(image) }
        image.pixels = [Float](repeating: 3, count: image.pixels.count)
        #expect(throws: ExtractionError.self) { try DetectionImage(image) }
        let pixel = Image(bands: ["r"], width: 1, height: 1, pixels: [1])
        #expect(throws: ExtractionError.self) { try DetectionImage(pixel) }
    }

    @Test("SExtractor's own catalog of a real image", .enabled(if: DevelopmentImages.areInstalled))
    func sextractorCatalog() throws {
        let text = try String(contentsOfFile: DevelopmentImages.path("sep/image.cat"), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { row in
            row.split(separator: " ").compactMap { Double($0) }
        }
        let plane = try DetectionImage(try ImageReader.read(DevelopmentImages.path("sep/image.fits")))
        // The configuration beside it: no deblending.
        let settings = SourceExtractor.Settings(deblendContrast: 1)
        let measured = try MeasuredSources(SourceExtractor(settings).extract(plane), in: plane)
        let sources = measured.segmentation.sources
        #expect(sources.count > 0 && abs(sources.count - rows.count) <= rows.count / 20)
        var matched = 0
        var fluxRatios: [Double] = []
        for row in rows where row.count == 21 {
            let near = sources.indices.filter { hypot(sources[$0].x + 1 - row[1], sources[$0].y + 1 - row[2]) < 0.5 }
            guard let index = near.first else { continue }
            matched += 1
            if row[20] == 0, row[15] > 0 { fluxRatios.append(measured.detection[index].flux / row[15]) }
        }
        #expect(Double(matched) > 0.93 * Double(rows.count))
        fluxRatios.sort()
        #expect(abs(fluxRatios[fluxRatios.count / 2] - 1) < 0.03)
    }
}

/// Random numbers that are the same on every machine.
struct SystemSeed: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}
