public import Tensors

/// Views of a galaxy that are equally likely on the sky or in another survey: turned, mirrored, nearer or farther, a little off
/// centre; with fewer bands, other relative depths, worse seeing, more noise.
public struct StampAugmentation: Sendable, Codable, Hashable {
    /// The part of the stamp's side that is seen: uniform in this range; above 1 the edge is mirrored.
    public var scale: ClosedRange<Float>
    /// Largest shift of the centre in each axis, as a part of the side.
    public var shift: Float
    /// Whether views are mirrored. Must be off where handedness matters.
    public var mirrors: Bool
    /// Share of the views that are turned by any angle, not only by quarters.
    public var freeRotation: Float
    /// Share of the views of which only some bands are seen.
    public var fewerBands: Float
    /// Largest change of a band's brightness, as a part of it.
    public var bandGain: Float
    /// Share of the views that are blurred.
    public var blur: Float
    /// Largest standard deviation of added noise, in brightness (1 is white); a third of the views get any.
    public var noise: Float

    public init(
        scale: ClosedRange<Float> = 0.75...1.05, shift: Float = 0.06, mirrors: Bool = true, freeRotation: Float = 0,
        fewerBands: Float = 0, bandGain: Float = 0, blur: Float = 0, noise: Float = 0
    ) {
        self.scale = scale
        self.shift = shift
        self.mirrors = mirrors
        self.freeRotation = freeRotation
        self.fewerBands = fewerBands
        self.bandGain = bandGain
        self.blur = blur
        self.noise = noise
    }

    /// For pre-training: all of it.
    public static let survey = Self(
        scale: 0.6...1.05, shift: 0.08, freeRotation: 0.5, fewerBands: 0.25, bandGain: 0.15, blur: 0.2, noise: 0.05)

    /// A random view.
    public func view(random: inout RandomNumbers) -> StampView {
        var view = StampView(
            quarterTurns: random.integer(below: 4), mirrored: mirrors && random.integer(below: 2) == 1,
            scale: random.uniform(scale.lowerBound, scale.upperBound),
            offset: SIMD2(random.uniform(-shift, shift), random.uniform(-shift, shift)))
        if freeRotation > 0, random.uniform() < freeRotation { view.angle = random.uniform(-.pi / 4, .pi / 4) }
        return view
    }

    /// Leaves some of the bands, at least one.
    ///
    /// - Parameters:
    ///   - planes: bands × count numbers.
    ///   - wavelengths: of the bands, nm.
    public func dropBands(_ planes: inout [Float], _ wavelengths: inout [Float], random: inout RandomNumbers) {
        let bands = wavelengths.count
        guard fewerBands > 0, bands > 1, random.uniform() < fewerBands else { return }
        let kept = random.permutation(bands).prefix(1 + random.integer(below: bands - 1)).sorted()
        let size = planes.count / bands
        planes = kept.flatMap { planes[($0 * size)..<(($0 + 1) * size)] }
        wavelengths = kept.map { wavelengths[$0] }
    }

    /// Changes the brightness of the bands, blurs and adds noise.
    public func degrade(_ planes: inout [Float], channels: Int, size: Int, random: inout RandomNumbers) {
        let count = size * size
        if bandGain > 0 {
            for channel in 0..<channels {
                let factor = random.uniform(1 - bandGain, 1 + bandGain)
                for i in (channel * count)..<((channel + 1) * count) { planes[i] *= factor }
            }
        }
        if blur > 0, random.uniform() < blur {
            for _ in 0...random.integer(below: 4) { Self.smooth(&planes, channels: channels, size: size) }
        }
        if noise > 0, random.uniform() < 1 / 3 {
            let deviation = random.uniform(0, noise)
            for i in planes.indices { planes[i] += deviation * random.normal() }
        }
    }

    /// One pass of the binomial filter (1 2 1)/4 along both axes; the edge is repeated.
    private static func smooth(_ planes: inout [Float], channels: Int, size: Int) {
        var other = planes
        func pass(_ source: [Float], _ result: inout [Float], step: Int, across: Int) {
            for channel in 0..<channels {
                for line in 0..<size {
                    let start = channel * size * size + line * across
                    for i in 0..<size {
                        let at = start + i * step
                        let (before, after) = (i > 0 ? at - step : at, i < size - 1 ? at + step : at)
                        result[at] = 0.25 * source[before] + 0.5 * source[at] + 0.25 * source[after]
                    }
                }
            }
        }
        pass(planes, &other, step: 1, across: size)
        pass(other, &planes, step: size, across: 1)
    }
}
