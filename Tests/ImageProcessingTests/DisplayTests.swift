import AstroIO
import Figures
import Foundation
import ImageProcessing
import TestSupport
import Testing

/// What astropy makes of a synthetic image (scripts/fixtures/display.py).
struct AstropyDisplay: Decodable {
    var width: Int
    var height: Int
    var g: [Float]
    var r: [Float]
    var z: [Float]
    var lupton: [Int]
    var zscale: [Float]
    var percentile: [Float]
    var curves: [String: [Float]]
    var sky: [Float]

    static func read() throws -> AstropyDisplay { try fixture("display/astropy.json", as: AstropyDisplay.self) }

    var image: Image { Image(bands: ["g", "r", "z"], width: width, height: height, pixels: g + r + z) }
}

@Suite("Images on a screen")
struct DisplayTests {
    @Test("Lupton colours are those of astropy's make_lupton_rgb, to a count")
    func lupton() throws {
        let astropy = try AstropyDisplay.read()
        let picture = try Composite.rgb(from: astropy.image, style: .lupton(minimum: 0.1, stretch: 0.8, q: 8))
        #expect(picture.width == astropy.width && picture.height == astropy.height)
        let differences = zip(picture.samples, astropy.lupton).map { abs(Int($0) - $1) }
        #expect(differences.max()! <= 1)
        #expect(differences.count { $0 == 0 } > differences.count * 9 / 10)
    }

    @Test("zscale and percentile limits are astropy's")
    func limits() throws {
        let astropy = try AstropyDisplay.read()
        let zscale = try #require(Stretch.Limits.zscale().of(astropy.r))
        #expect(
            abs(zscale.black - astropy.zscale[0]) < 1e-4
                && abs(zscale.white - astropy.zscale[1]) < 1e-3 * astropy.zscale[1])
        let percentile = try #require(Stretch.Limits.percentile(99.5).of(astropy.r))
        #expect(abs(percentile.black - astropy.percentile[0]) < 1e-4)
        #expect(abs(percentile.white - astropy.percentile[1]) < 1e-4 * astropy.percentile[1])
        #expect(Stretch.Limits.minimumMaximum.of([.nan, .infinity]) == nil)
    }

    @Test("curves are astropy's")
    func curves() throws {
        let curves = try AstropyDisplay.read().curves
        for (name, curve) in [("sqrt", Stretch.Curve.sqrt), ("log", .log()), ("asinh", .asinh())] {
            for (index, expected) in try #require(curves[name]).enumerated() {
                #expect(abs(curve(Float(index) / 10) - expected) < 2e-6, "\(name) at \(index)")
            }
        }
    }

    @Test("the sky is that of astropy's sigma_clipped_stats")
    func sky() throws {
        let astropy = try AstropyDisplay.read()
        let sky = try #require(SkyEstimate(astropy.r))
        #expect(abs(sky.level - astropy.sky[0]) < 0.003 && abs(sky.noise - astropy.sky[1]) < 0.03 * astropy.sky[1])
        #expect(SkyEstimate([Float.nan, .nan]) == nil)
        #expect(SkyEstimate([Float](repeating: 3, count: 100)) == SkyEstimate([3, 3]))
    }

    @Test(
        "the Legacy colours of a survey cube are those of the survey's own picture",
        .enabled(if: DevelopmentImages.areInstalled))
    func legacy() throws {
        let cube = try ImageReader.read(DevelopmentImages.path("decals_rendering/example_a.fits.gz"))
        let survey = try ImageReader.read(DevelopmentImages.path("decals_rendering/example_a.jpeg"))
        let picture = try Composite.rgb(from: cube, style: .legacy)
        #expect(picture.width == survey.width && picture.height == survey.height)
        // The survey's picture was dimmed and compressed: brightness must go together, pixel by pixel.
        var (sx, sy, sxx, syy, sxy) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for index in 0..<survey.planeSize {
            let x =
                Double(picture.samples[3 * index]) + Double(picture.samples[3 * index + 1])
                + Double(picture.samples[3 * index + 2])
            let y = Double(
                survey.pixels[index] + survey.pixels[survey.planeSize + index]
                    + survey.pixels[2 * survey.planeSize + index])
            sx += x
            sy += y
            sxx += x * x
            syy += y * y
            sxy += x * y
        }
        let n = Double(survey.planeSize)
        let correlation = (n * sxy - sx * sy) / ((n * sxx - sx * sx) * (n * syy - sy * sy)).squareRoot()
        #expect(correlation > 0.9, "\(correlation)")
    }

    @Test("the automatic picture does not depend on unit and level, and survives NaN, masks and empty images")
    func automatic() throws {
        let image = try AstropyDisplay.read().image
        let picture = Composite.rgb(from: image)
        var scaled = image
        scaled.pixels = image.pixels.map { $0 * 1000 + 7 }
        let again = Composite.rgb(from: scaled)
        #expect(zip(picture.samples, again.samples).allSatisfy { abs(Int($0) - Int($1)) <= 2 })
        var damaged = image
        damaged.pixels[100] = .nan
        damaged.pixels[101] = .infinity
        damaged.mask = [PixelMask](repeating: [], count: image.pixels.count)
        damaged.mask?[102] = .bad
        let after = Composite.rgb(from: damaged)
        let changed = zip(picture.samples, after.samples).count { abs(Int($0) - Int($1)) > 8 }
        #expect(changed <= 9)
        for value in [Float.nan, 0, 5] {
            let flat = Image(bands: ["r"], width: 4, height: 3, pixels: [Float](repeating: value, count: 12))
            #expect(Composite.rgb(from: flat).samples.count == 36)
        }
    }

    @Test("bands are drawn by wavelength, whatever their order")
    func order() throws {
        let image = try AstropyDisplay.read().image
        let turned = try image.selecting(bands: ["z", "g", "r"])
        #expect(Composite.colours(of: image) == [2, 1, 0] && Composite.colours(of: turned) == [0, 2, 1])
        #expect(Composite.rgb(from: image) == Composite.rgb(from: turned))
    }

    @Test("the first row of a FITS image is at the bottom, of a picture at the top")
    func orientation() {
        var pixels = [Float](repeating: 0, count: 16)
        pixels[0] = 200
        let picture = Image(
            bands: ["grey"], width: 4, height: 4, pixels: pixels, rowOrder: .topDown, sampleMaximum: 255)
        #expect(Composite.rgb(from: picture).samples[0] == 200)
        let fits = Image(bands: ["r"], width: 4, height: 4, pixels: pixels)
        let drawn = Composite.rgb(from: fits)
        #expect(drawn.samples[3 * 12] > drawn.samples[0])
    }
}

@Suite("Resizing")
struct ResamplerTests {
    private func image(_ width: Int, _ height: Int) -> Image {
        let pixels = (0..<(2 * width * height)).map { Float(($0 * 7919) % 101) / 10 }
        let header = FITSHeader(cards: [
            .init("CTYPE1", value: "RA---TAN", isText: true), .init("CTYPE2", value: "DEC--TAN", isText: true),
            .init("CRVAL1", value: "30.0"), .init("CRVAL2", value: "40.0"), .init("CRPIX1", value: "9.0"),
            .init("CRPIX2", value: "5.0"), .init("CD1_1", value: "-0.0001"), .init("CD2_2", value: "0.0001"),
        ])
        return Image(
            bands: ["g", "r"], width: width, height: height, pixels: pixels,
            wcs: try? WCS(header: header, path: "test"), header: header)
    }

    @Test(
        "making an image smaller keeps its flux, or its surface brightness",
        arguments: [(12, 9), (17, 5), (24, 18), (1, 1)])
    func flux(_ size: (Int, Int)) {
        let image = image(24, 18)
        for conserving in [true, false] {
            let small = Resampler.resized(image, width: size.0, height: size.1, conservingFlux: conserving)
            let (before, after) = (image.pixels.reduce(0, +), small.pixels.reduce(0, +))
            let scale: Float = conserving ? 1 : Float(24 * 18) / Float(size.0 * size.1)
            #expect(abs(after * scale - before) < 1e-4 * before)
        }
    }

    @Test("a constant stays constant, up and down")
    func constant() {
        let flat = Image(bands: ["r"], width: 13, height: 7, pixels: [Float](repeating: 2.5, count: 91))
        for (width, height) in [(5, 3), (40, 30), (13, 20)] {
            #expect(Resampler.resized(flat, width: width, height: height).pixels.allSatisfy { abs($0 - 2.5) < 1e-5 })
        }
    }

    @Test("halving averages squares of four pixels")
    func halves() {
        let image = image(8, 6)
        let small = Resampler.resized(image, width: 4, height: 3)
        let expected = (image.pixels[0] + image.pixels[1] + image.pixels[8] + image.pixels[9]) / 4
        #expect(abs(small.pixels[0] - expected) < 1e-5)
    }

    @Test("positions on the sky stay where they are")
    func positions() throws {
        let image = image(24, 18)
        let wcs = try #require(image.wcs)
        for (width, height) in [(12, 9), (48, 36), (30, 10)] {
            let resized = try #require(Resampler.resized(image, width: width, height: height).wcs)
            let (fx, fy) = (Double(width) / 24, Double(height) / 18)
            let sky = try #require(wcs.pixelToSky(x: 7, y: 11))
            let position = try #require(resized.skyToPixel(ra: sky.ra, dec: sky.dec))
            #expect(abs(position.x - ((7 + 0.5) * fx - 0.5)) < 1e-6 && abs(position.y - ((11 + 0.5) * fy - 0.5)) < 1e-6)
        }
    }

    @Test("masked and undefined pixels do not count")
    func masked() {
        var image = image(8, 8)
        image.pixels[0] = .nan
        image.mask = [PixelMask](repeating: [], count: image.pixels.count)
        image.mask?[0] = .noData
        let small = Resampler.resized(image, width: 4, height: 4)
        let expected = (image.pixels[1] + image.pixels[8] + image.pixels[9]) / 3
        #expect(abs(small.pixels[0] - expected) < 1e-5 && small.pixels.allSatisfy(\.isFinite))
    }
}

@Suite("Figures")
struct FigureTests {
    @Test("a contact sheet shows its cells in order, in the columns asked for")
    func contactSheet() {
        func square(_ red: UInt8) -> RGBImage {
            RGBImage(width: 10, height: 10, samples: (0..<100).flatMap { _ in [red, 0, 0] })
        }
        let sheet = ContactSheet(title: "A title\u{1}", note: "a note", columns: 3, thumbnail: 40)
        let cells = (1...5).map {
            ContactSheet.Cell(picture: square(UInt8(50 * $0)), caption: ["object \($0)", "words"])
        }
        let picture = sheet.draw(cells)
        // Each thumbnail is a patch of its own red: 200 is the fourth, in the second row.
        func centre(of red: UInt8) -> (x: Int, y: Int)? {
            var (x, y, n) = (0, 0, 0)
            for index in stride(from: 0, to: picture.samples.count, by: 3)
            where picture.samples[index] == red && picture.samples[index + 1] == 0 && picture.samples[index + 2] == 0 {
                x += index / 3 % picture.width
                y += index / 3 / picture.width
                n += 1
            }
            return n >= 1000 ? (x / n, y / n) : nil
        }
        let places = (1...5).map { centre(of: UInt8(50 * $0)) }
        #expect(places.allSatisfy { $0 != nil })
        if let first = places[0], let second = places[1], let fourth = places[3] {
            #expect(
                second.x > first.x && abs(second.y - first.y) <= 1 && fourth.y > first.y && abs(fourth.x - first.x) <= 1
            )
        }
        #expect(sheet.draw([]).width > 0)
    }

    @Test("a histogram counts the finite values, and plots draw without any")
    func plots() {
        let plot = Plot.histogram(of: [1, 1, 2, 5, .nan], bins: 4, title: "t", xLabel: "x", yLabel: "y")
        #expect(plot.bars?.heights == [2, 1, 0, 1] && plot.bars?.edges == [1, 2, 3, 4, 5])
        #expect(plot.draw().width == 800)
        var empty = Plot(title: "", xLabel: "", yLabel: "")
        empty.curves = [.init("a", x: [], y: []), .init("b", x: [1, .nan], y: [0, -.infinity])]
        empty.yIsLogarithmic = true
        #expect(empty.draw().height == 480)
    }
}
