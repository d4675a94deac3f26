import AstroIO
import Foundation
import Tensors

/// One band of an exposure while its defects are added. Each pixel that a defect changes is flagged.
struct DetectorPlane {
    private let size: Int
    private let band: Int
    private let noise: Float
    /// Before counting: expected light; afterwards: what the camera says, sky subtracted. Nanomaggies.
    private(set) var pixels: [Float]
    private(set) var variance: [Float]
    private(set) var mask: [PixelMask]
    private(set) var artefacts: [ArtefactTruth] = []

    init(size: Int, light: [Float], band: Int, noise: Float) {
        self.size = size
        self.band = band
        self.noise = noise
        pixels = light
        variance = [Float](repeating: noise * noise, count: light.count)
        mask = [PixelMask](repeating: [], count: light.count)
    }

    /// Adds light to pixels and flags them; less than half of the noise is not worth a flag and is left out.
    private mutating func add(_ light: [(pixel: Int, flux: Float)], _ kind: ArtefactTruth.Kind, _ flag: PixelMask) {
        var (x, y, total, count) = (0.0, 0.0, 0.0, 0)
        for (pixel, flux) in light where flux > noise / 2 {
            pixels[pixel] += flux
            mask[pixel].insert(flag)
            x += Double(pixel % size)
            y += Double(pixel / size)
            total += Double(flux)
            count += 1
        }
        guard count > 0 else { return }
        artefacts.append(
            ArtefactTruth(
                kind: kind, band: band, x: x / Double(count), y: y / Double(count), pixels: count, flux: total))
    }

    /// A straight line across the field, as wide as the PSF.
    mutating func addTrail(fwhm: Double, random: inout RandomNumbers) {
        let angle = random.between(0, .pi)
        let (c, s) = (cos(angle), sin(angle))
        let half = Double(size) / 2
        let offset = random.between(-0.6, 0.6) * half
        let sigma = fwhm / 2.3548 * random.between(1, 1.6)
        let peak = Double(noise) * exp(random.between(log(4), log(80)))
        var light: [(pixel: Int, flux: Float)] = []
        for y in 0..<size {
            for x in 0..<size {
                let distance = (Double(x) - half) * c + (Double(y) - half) * s - offset
                if abs(distance) < 5 * sigma {
                    light.append((y * size + x, Float(peak * exp(-distance * distance / (2 * sigma * sigma)))))
                }
            }
        }
        add(light, .trail, .bad)
    }

    /// A muon's or a Compton electron's way through the silicon: sharper than the PSF, of any direction and length.
    mutating func addCosmicRay(random: inout RandomNumbers) {
        let length = random.uniform() < 0.6 ? random.between(0.5, 4) : random.between(4, 30)
        var angle = random.between(0, 2 * .pi)
        let bend = random.uniform() < 0.25 ? Double(random.normal()) * 0.15 : 0
        var (x, y) = (random.between(0, Double(size)), random.between(0, Double(size)))
        let perPixel = Double(noise) * exp(random.between(log(8), log(400)))
        let step = 0.25
        var hit: [Int: Float] = [:]
        for _ in 0..<max(2, Int(length / step)) {
            // Charge spreads a little: a step's goes to the four nearest pixels.
            let (column, row) = (Int(x.rounded(.down)), Int(y.rounded(.down)))
            let (fx, fy) = (x - Double(column), y - Double(row))
            let charge = perPixel * step * (0.6 + 0.8 * Double(random.uniform()))
            for (i, j, share) in [
                (0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy),
            ] where (0..<size).contains(column + i) && (0..<size).contains(row + j) {
                hit[(row + j) * size + column + i, default: 0] += Float(charge * share)
            }
            angle += bend * step
            x += step * cos(angle)
            y += step * sin(angle)
        }
        add(hit.sorted { $0.key < $1.key }.map { (pixel: $0.key, flux: $0.value) }, .cosmicRay, .cosmicRay)
    }

    /// Poisson noise of sky and light, and read noise; the known sky is subtracted.
    mutating func count(_ camera: SurveyBand, sky: Double, random: inout RandomNumbers) {
        let read = camera.readNoise * camera.readNoise
        for pixel in pixels.indices {
            let expected = max(0, (Double(pixels[pixel]) + sky) * camera.gain)
            variance[pixel] = Float((expected + read) / (camera.gain * camera.gain))
            // Many electrons: both noises are one normal number.
            let electrons =
                expected > 200
                ? expected + (expected + read).squareRoot() * Double(random.normal())
                : Double(random.poisson(mean: expected)) + camera.readNoise * Double(random.normal())
            pixels[pixel] = Float(electrons / camera.gain - sky)
        }
    }

    /// Pixels hold no more than a level; what is over runs up and down the column until it finds room.
    mutating func saturate(at level: Float) {
        for column in 0..<size {
            var row = 0
            while row < size {
                guard pixels[row * size + column] > level else {
                    row += 1
                    continue
                }
                var (first, last, excess) = (row, row, Float(0))
                while last < size, pixels[last * size + column] > level {
                    excess += pixels[last * size + column] - level
                    last += 1
                }
                let flux = Double(excess)
                var (up, down) = (last, first - 1)
                last -= 1
                while excess > 0, up < size || down >= 0 {
                    for end in [up, down] where (0..<size).contains(end) && excess > 0 {
                        let room = max(0, level - pixels[end * size + column])
                        pixels[end * size + column] += min(room, excess)
                        excess -= room
                        (first, last) = (min(first, end), max(last, end))
                    }
                    (up, down) = (up + 1, down - 1)
                }
                for full in first...last {
                    let pixel = full * size + column
                    pixels[pixel] = min(pixels[pixel], level)
                    mask[pixel].insert(.saturated)
                }
                artefacts.append(
                    ArtefactTruth(
                        kind: .saturation, band: band, x: Double(column), y: Double(first + last) / 2,
                        pixels: last - first + 1, flux: -flux))
                row = max(last, row) + 1
            }
        }
    }

    /// A column, or a part of it up to the edge, that does not count or counts too much.
    mutating func spoilColumn(random: inout RandomNumbers) {
        let column = random.integer(below: size)
        let start = random.uniform() < 0.5 ? 0 : random.integer(below: size)
        let isDead = random.uniform() < 0.6
        let glow = noise * Float(exp(random.between(log(5), log(100))))
        for row in start..<size {
            let pixel = row * size + column
            pixels[pixel] = isDead ? 0 : pixels[pixel] + glow
            mask[pixel].insert(.bad)
            variance[pixel] = .infinity
        }
        artefacts.append(
            ArtefactTruth(
                kind: .badColumn, band: band, x: Double(column), y: Double(start + size - 1) / 2, pixels: size - start,
                flux: isDead ? .nan : Double(glow) * Double(size - start)))
    }
}
