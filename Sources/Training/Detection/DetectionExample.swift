import AstroIO
public import Datasets
public import ImageProcessing
public import Inference
import Tensors

/// A simulated field as the detection network sees it, with what it should find.
public struct DetectionExample: Sendable {
    /// The bands of the field that the network sees, made into one plane.
    public let image: DetectionImage
    /// height × width, pixels in units of their noise.
    let significance: [Float]
    /// height × width: noiseless light in the same units.
    let light: [Float]
    /// All sources, the faintest too, and who owns each pixel.
    public let truth: DetectionTruth
    /// height × width: a trail, cosmic ray, bad column or bleed that the network is not told of.
    let artefacts: [Bool]

    var width: Int { image.width }
    var height: Int { image.height }

    /// Makes an example of a field.
    ///
    /// Surveys flag their defects or do not, state variances or do not, and come in one band or several; so do examples, as
    /// `random` decides.
    ///
    /// - Throws: `ExtractionError` for a field without a usable pixel.
    public init(
        _ field: SimulatedField, background: BackgroundModel.Settings, random: inout RandomNumbers
    ) throws(ExtractionError) {
        let count = [1, 1, 2, 3, 3][random.integer(below: 5)]
        let bands = Array(random.permutation(field.image.bands.count).prefix(count)).sorted()
        try self.init(
            field, background: background, bands: bands.map { field.image.bands[$0] },
            knowsMask: random.uniform() < 0.5, knowsVariance: random.uniform() < 0.5)
    }

    /// All bands of a field, with its mask and variance.
    public init(_ field: SimulatedField, background: BackgroundModel.Settings) throws(ExtractionError) {
        try self.init(
            field, background: background, bands: field.image.bands, knowsMask: true, knowsVariance: true)
    }

    private init(
        _ field: SimulatedField, background: BackgroundModel.Settings, bands: [String], knowsMask: Bool,
        knowsVariance: Bool
    ) throws(ExtractionError) {
        var image = field.image
        let (size, flags) = (image.planeSize, image.mask)
        if !knowsVariance { image.variance = nil }
        if !knowsMask { image.mask = flags?.map { $0.intersection([.saturated, .noData]) } }
        do { image = try image.selecting(bands: bands) } catch {
            preconditionFailure("[DetectionExample] the field has no bands \(bands)")
        }
        let plane = try DetectionImage(image, background: background)
        self.image = plane
        significance = plane.significance
        let indices = plane.bands.compactMap { band in field.image.bands.firstIndex(of: band.band) }
        var light = [Float](repeating: 0, count: size)
        for i in 0..<size where plane.mask[i] == 0 {
            var (sum, used): (Float, Float) = (0, 0)
            for (band, index) in zip(plane.bands, indices) where band.mask[i] == 0 {
                sum += field.noiseless[index * size + i] / band.noise[i]
                used += 1
            }
            light[i] = sum / used.squareRoot()
        }
        self.light = light
        artefacts = (0..<size).map { i in
            guard plane.mask[i] == 0, let flags else { return false }
            return indices.contains { index in
                let flag = flags[index * size + i]
                return !flag.isDisjoint(with: [.cosmicRay, .bad])
                    || flag.contains(.saturated) && field.segmentation[i] == 0
            }
        }
        truth = Self.compared(field, light: light)
    }

    /// Numbers of the simulator's segmentation need not be those of the list: they are looked up.
    private static func compared(_ field: SimulatedField, light: [Float]) -> DetectionTruth {
        var position: [Int: Int] = [:]
        for (index, source) in field.sources.enumerated() { position[source.id] = index }
        let owners = field.segmentation.map { $0 > 0 ? position[Int($0)] : nil }
        var (squares, peaks) = (
            [Double](repeating: 0, count: field.sources.count), [Float](repeating: 0, count: field.sources.count)
        )
        for (i, owner) in owners.enumerated() {
            guard let owner else { continue }
            squares[owner] += Double(light[i] * light[i])
            peaks[owner] = max(peaks[owner], light[i])
        }
        let map = owners.enumerated().map { i, owner -> Int32 in
            guard let owner, light[i] > DetectionTargets.isophote(peak: peaks[owner]) else { return 0 }
            return Int32(owner + 1)
        }
        let sources = field.sources.enumerated().map { index, source in
            DetectionTruth.Source(
                x: source.x, y: source.y, isStar: source.isStar, significance: squares[index].squareRoot(),
                magnitude: source.magnitude)
        }
        return DetectionTruth(width: field.image.width, height: field.image.height, sources: sources, map: map)
    }
}
