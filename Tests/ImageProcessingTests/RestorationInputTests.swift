import AstroIO
import Foundation
import ImageProcessing
import Testing

@Suite struct RestorationInputTests {
    /// Numbers without structure, the same in every run.
    private func noise(_ count: Int) -> [Float] {
        (0..<count).map { index in
            let value = sin(Double(index) * 12.9898) * 43758.5453
            return Float(value.truncatingRemainder(dividingBy: 1))
        }
    }

    @Test func theFourierTransformIsItsDefinition() {
        let side = 8
        let values = noise(side * side)
        let spectrum = FourierTransform(side: side).forward(.init(real: values))
        for v in 0..<side {
            for u in 0..<side {
                var (real, imaginary) = (0.0, 0.0)
                for y in 0..<side {
                    for x in 0..<side {
                        let angle = -2 * Double.pi * Double(u * x + v * y) / Double(side)
                        real += Double(values[y * side + x]) * cos(angle)
                        imaginary += Double(values[y * side + x]) * sin(angle)
                    }
                }
                // Spectra stand transposed.
                #expect(abs(Double(spectrum.real[u * side + v]) - real) < 1e-4)
                #expect(abs(Double(spectrum.imaginary[u * side + v]) - imaginary) < 1e-4)
            }
        }
    }

    @Test(arguments: [(37, 21), (300, 40), (16, 16)])
    func convolutionByBlocksIsTheDirectSum(width: Int, height: Int) {
        let plane = noise(width * height)
        let kernels = [noise(25), noise(25).reversed()].map { PlaneFilter.Kernel(radius: 2, values: $0) }
        let result = PlaneFilter.convolve(plane, width: width, height: height, with: kernels[0], and: kernels[1])
        func mirrored(_ i: Int, _ n: Int) -> Int { i < 0 ? -i : i >= n ? 2 * n - 2 - i : i }
        for (kernel, values) in zip(kernels, [result.a, result.b]) {
            for y in stride(from: 0, to: height, by: 3) {
                for x in stride(from: 0, to: width, by: 5) {
                    var sum: Float = 0
                    for dy in -2...2 {
                        for dx in -2...2 {
                            sum +=
                                kernel.values[(dy + 2) * 5 + dx + 2]
                                * plane[mirrored(y - dy, height) * width + mirrored(x - dx, width)]
                        }
                    }
                    #expect(abs(values[y * width + x] - sum) < 1e-4)
                }
            }
        }
    }

    /// A star through one PSF, filtered, is a star through the other: its flux stays, and its width becomes the wanted one.
    @Test func theWienerFilterChangesThePSF() throws {
        let (width, side) = (4.0, 81)
        let from = try PSFKernel.gaussian(fwhm: width)
        var star = [Float](repeating: 0, count: side * side)
        for y in 0..<from.side {
            for x in 0..<from.side {
                star[(40 - from.radius + y) * side + 40 - from.radius + x] = 1000 * from.values[y * from.side + x]
            }
        }
        let filter = WienerFilter(from: from, to: try .gaussian(fwhm: 3), regularisations: [1e-4, 0.1])
        let result = PlaneFilter.convolve(
            star, width: side, height: side, with: filter.kernels[0], and: filter.kernels[1])
        #expect(abs(result.a.reduce(0, +) - 1000) < 0.5 && abs(result.b.reduce(0, +) - 1000) < 0.5, "flux is kept")
        let wanted = try PSFKernel.gaussian(fwhm: 3)
        let peak = 1000 * wanted.values[wanted.radius * wanted.side + wanted.radius]
        // The highest frequencies, where the PSF has passed less than λ, are missing; the star's own peak was 0.56.
        #expect(abs(result.a[40 * side + 40] / peak - 1) < 0.1)
    }

    @Test func aPSFKnowsItsWidthAndRefusesNonsense() throws {
        #expect(abs(try PSFKernel.moffat(fwhm: 4.2).fwhm - 4.2) < 0.1)
        #expect(abs(try PSFKernel.moffat(fwhm: 4.2).values.reduce(0, +) - 1) < 1e-5)
        #expect(throws: RestorationError.self) { try PSFKernel.gaussian(fwhm: 0) }
        #expect(throws: RestorationError.self) { try PSFKernel.gaussian(fwhm: .nan) }
        #expect(throws: RestorationError.self) { try PSFKernel(radius: 1, values: [Float](repeating: 0, count: 9)) }
        let image = Image(bands: ["a", "b"], width: 3, height: 3, pixels: [Float](repeating: 1, count: 18))
        #expect(throws: RestorationError.self) { try PSFKernel.image(image) }
    }

    /// Light that changes linearly is found again in a gap, and a plane without valid pixels becomes 0.
    @Test func gapsAreFilledFromTheirSurroundings() {
        let side = 40
        let plane = (0..<side * side).map { Float(10 + $0 % side) }
        var (valid, damaged) = ([Bool](repeating: true, count: plane.count), plane)
        for y in 18..<22 {
            for x in 18..<22 { (valid[y * side + x], damaged[y * side + x]) = (false, .nan) }
        }
        let filled = GapFilling.fill(damaged, valid: valid, width: side, height: side)
        for index in plane.indices { #expect(abs(filled[index] - plane[index]) < 1.5) }
        let nothing = [Bool](repeating: false, count: plane.count)
        #expect(GapFilling.fill(damaged, valid: nothing, width: side, height: side).allSatisfy { $0 == 0 })
    }

    @Test func theSkyFollowsAGradientAndItsNoiseIsMeasured() throws {
        let side = 512
        var plane = noise(side * side)
        for i in plane.indices { plane[i] += Float(100 + i % side / 10) }
        let sky = try #require(
            SkyMap(plane, valid: [Bool](repeating: true, count: plane.count), width: side, height: side))
        // The numbers are uniform in −1 … 1; the gradient adds what it is within a box.
        #expect(sky.noise > 0.5 && sky.noise < 6)
        #expect(abs(sky.level[256 * side + 256] - 125) < 3 && sky.level[10] < sky.level[500])
    }

    @Test func detailWithinPixelsAddsNothing() {
        let detail = RestorationInput.withoutPixelMeans(noise(64), width: 8)
        for y in stride(from: 0, to: 8, by: 2) {
            for x in stride(from: 0, to: 8, by: 2) {
                let corner = y * 8 + x
                let sum: Float = [0, 1, 8, 9].reduce(0) { $0 + detail[corner + $1] }
                #expect(abs(sum) < 1e-5)
            }
        }
    }
}
