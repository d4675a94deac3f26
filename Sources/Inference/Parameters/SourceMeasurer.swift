public import AstroIO
public import Datasets
import Foundation
public import ImageProcessing

/// How images are measured.
public struct MeasurementSettings: Sendable {
    public var usesNetwork = true
    public var usesClassical = true
    /// Whether the classical set has a Sérsic fit.
    public var fitsSersic = true
    /// The band that shapes are measured in; r, else the one with the most light over noise, when nil.
    public var band: String?
    /// AB magnitude of one unit; from the image when nil.
    public var zeroPoint: Double?
    /// Seeing, arcsec; from the image when nil.
    public var seeing: Double?
    /// Picture of the PSF for all images; a file `…_psf.fits` beside each image when nil.
    public var psf: String?
    /// Segmentation for all images; a file `…_segmentation.fits` or `…_seg.fits` beside each image when nil.
    public var segmentation: String?
    /// Sky that is clearly there is subtracted.
    public var subtractsSky = true
    /// Pixels are taken at their middles in the Sérsic fit, as statmorph does.
    public var samplesPixelCentres = false
    /// Larger images are cut to their middle, pixels.
    public var largestSide = 1024

    public init() {}
}

/// What was measured of one image's central source.
public struct MeasuredSource: Sendable {
    public var position: (ra: Double, dec: Double)?
    /// Centre of light, pixels of the image counted from 0.
    public var x: Double
    public var y: Double
    /// The band of the shape parameters.
    public var band: String
    public var bands: [String]
    public var flags: MeasurementFlags
    /// Full width of the PSF at half maximum, pixels.
    public var seeingPixels: Double
    /// Arcsec a pixel.
    public var pixelScale: Double?
    public var zeroPoint: Double?
    public var classical: MorphologyMeasurement?
    /// Of each band that the network saw, in the order of ``bands``.
    public var estimates: [ParameterEstimate?]
    /// The estimate in ``band``.
    public var estimate: ParameterEstimate?
    public var orientation: PixelOrientation
}

/// Measures the source in the middle of an image. A value: any number of threads may use it.
public struct SourceMeasurer: Sendable {
    public let settings: MeasurementSettings
    private let estimator: ParameterEstimator?

    /// - Parameter estimator: needed where the settings use the network.
    public init(settings: MeasurementSettings, estimator: ParameterEstimator?) {
        precondition(!settings.usesNetwork || estimator != nil, "[SourceMeasurer] expected a network")
        self.settings = settings
        self.estimator = estimator
    }

    /// Reads an object's files and measures it.
    ///
    /// - Throws: `MeasurementError`: files that cannot be read, nothing but masked pixels, no source near the middle.
    public func measure(_ object: ObjectFiles) throws(MeasurementError) -> MeasuredSource {
        let whole: Image
        do { whole = try ImageReader.read(object.planes.map(\.source)) } catch {
            throw MeasurementError(path: object.paths[0], error.description)
        }
        return try measure(whole, of: object)
    }

    /// Measures an object's image that was read before.
    ///
    /// - Throws: `MeasurementError`: nothing but masked pixels, no source near the middle.
    public func measure(_ whole: Image, of object: ObjectFiles) throws(MeasurementError) -> MeasuredSource {
        let path = object.paths[0]
        let (width, height) = (whole.width, whole.height)
        guard min(width, height) >= 16 else {
            throw MeasurementError(path: path, "is \(width) × \(height) pixels; at least 16 × 16 are needed")
        }
        var labels = try segmentation(beside: path, width: width, height: height)
        let (cutWidth, cutHeight) = (min(width, settings.largestSide), min(height, settings.largestSide))
        let (left, bottom) = ((width - cutWidth) / 2, (height - cutHeight) / 2)
        var image = whole
        if cutWidth < width || cutHeight < height {
            image = whole.cropped(x: left, y: bottom, width: cutWidth, height: cutHeight)
            labels = labels?.cropped(left..<left + cutWidth, bottom..<bottom + cutHeight)
        }
        let prepared = try PreparedImage(image, path: path, subtractsSky: settings.subtractsSky)
        return try measure(prepared, image, path, labels, offset: (left, bottom))
    }

    private func measure(
        _ prepared: PreparedImage, _ image: Image, _ path: String, _ given: Plane<Int32>?, offset: (x: Int, y: Int)
    ) throws(MeasurementError) -> MeasuredSource {
        var flags = prepared.flags
        let labels = given ?? SourceSegmentation().find(prepared.detection, skySigma: 1, masked: prepared.masked)
        let middle = (image.width / 2, image.height / 2)
        let reach = max(8, min(image.width, image.height) / 8)
        guard let label = SourceSegmentation.label(in: labels, atX: middle.0, y: middle.1, within: reach) else {
            throw MeasurementError(path: path, "has no source within \(reach) pixels of its middle")
        }
        let chosen = try shapeBand(prepared, labels, label, path)
        let scale = image.wcs?.pixelScaleArcsec
        var spreads: [ImagePSF] = []
        for band in prepared.bands {
            spreads.append(try pointSpread(of: image, band: band, path, scale, &flags))
        }
        let zeroPoint = image.sampleMaximum == nil ? settings.zeroPoint ?? PhotometricSystem.zeroPoint(of: image) : nil
        if zeroPoint == nil { flags.insert(.noZeroPoint) }

        var classical: MorphologyMeasurement?
        if settings.usesClassical {
            var fit = SersicFit.Settings()
            fit.integratesPixels = !settings.samplesPixelCentres
            classical = SourceMorphology.measure(
                MorphometryInput(
                    light: prepared.light[chosen], segmentation: labels, label: label, masked: prepared.masked,
                    sigma: prepared.sigma[chosen],
                    psf: flags.contains(.assumedSeeing) ? nil : spreads[chosen].plane),
                parts: settings.fitsSersic ? .all : .multimode, fit: fit)
            if classical!.touchesEdge { flags.insert(.cutByBorder) }
        }
        var stamps: [ParameterStamp?] = []
        if settings.usesNetwork {
            for index in prepared.bands.indices {
                stamps.append(
                    ParameterStamp(
                        band: prepared.light[index], detection: prepared.detection, skySigma: prepared.skySigma[index],
                        sourceNoise: prepared.sourceNoise(index, labels, label), segmentation: labels, label: label,
                        masked: prepared.masked, fwhm: spreads[index].fwhm))
            }
        }
        let seen = stamps.indices.filter { stamps[$0] != nil }
        let found = estimator?.estimate(seen.map { stamps[$0]! }) ?? []
        var estimates = [ParameterEstimate?](repeating: nil, count: prepared.bands.count)
        for (index, estimate) in zip(seen, found) { estimates[index] = estimate }
        if let stamp = stamps.isEmpty ? nil : stamps[chosen] {
            if stamp.touchesEdge { flags.insert(.cutByBorder) }
            if stamp.signalToNoise < 5 { flags.insert(.faint) }
        }
        let (x, y) = centre(classical, stamps.isEmpty ? nil : stamps[chosen], middle)
        if prepared.masks(labels, label) { flags.insert(.maskedPixels) }
        return MeasuredSource(
            position: image.wcs.flatMap { $0.frame == .fk4 ? nil : $0.pixelToSky(x: x, y: y) },
            x: x + Double(offset.x), y: y + Double(offset.y), band: prepared.bands[chosen], bands: prepared.bands,
            flags: flags, seeingPixels: spreads[chosen].fwhm, pixelScale: scale, zeroPoint: zeroPoint,
            classical: classical, estimates: estimates, estimate: estimates[chosen],
            orientation: PixelOrientation(image))
    }

    // MARK: - Parts

    private func centre(
        _ classical: MorphologyMeasurement?, _ stamp: ParameterStamp?, _ middle: (Int, Int)
    ) -> (Double, Double) {
        if let stamp { return (stamp.x, stamp.y) }
        if let classical, classical.flag < 4 { return (classical["xc_centroid"], classical["yc_centroid"]) }
        return (Double(middle.0), Double(middle.1))
    }

    private func shapeBand(
        _ prepared: PreparedImage, _ labels: Plane<Int32>, _ label: Int32, _ path: String
    ) throws(MeasurementError) -> Int {
        if let band = settings.band {
            guard let index = prepared.bands.firstIndex(of: band) else {
                throw MeasurementError(
                    path: path, "has no band '\(band)', only \(prepared.bands.joined(separator: ", "))")
            }
            return index
        }
        if let r = prepared.bands.firstIndex(of: "r") { return r }
        let signal = prepared.bands.indices.map { band in
            labels.values.indices.reduce(0.0) {
                labels.values[$1] == label ? $0 + max(prepared.light[band].values[$1], 0) : $0
            } / prepared.skySigma[band]
        }
        return signal.indices.max { signal[$0] < signal[$1] } ?? 0
    }

    private func pointSpread(
        of image: Image, band: String, _ path: String, _ scale: Double?, _ flags: inout MeasurementFlags
    ) throws(MeasurementError) -> ImagePSF {
        if let file = settings.psf ?? Self.companion(of: path, named: ["psf"]) { return try ImagePSF(path: file) }
        if let seeing = settings.seeing ?? PhotometricSystem.seeing(of: image, band: band) {
            return ImagePSF(fwhm: max(seeing / (scale ?? 1), 0.5))
        }
        flags.insert(.assumedSeeing)
        return ImagePSF(fwhm: scale.map { min(max(1.2 / $0, 1), 15) } ?? 3)
    }

    private func segmentation(
        beside path: String, width: Int, height: Int
    ) throws(MeasurementError) -> Plane<Int32>? {
        let file = settings.segmentation ?? Self.companion(of: path, named: ["segmentation", "seg", "segmap"])
        guard let file else { return nil }
        let image: Image
        do { image = try ImageReader.read(file) } catch { throw MeasurementError(path: file, error.description) }
        guard image.width == width, image.height == height else {
            throw MeasurementError(
                path: file,
                "the segmentation is \(image.width) × \(image.height) pixels, the image \(width) × \(height)")
        }
        return Plane(
            width: width, height: height,
            values: image.pixels.prefix(image.planeSize).map {
                $0.isFinite && $0 > 0 && $0 < Float(Int32.max) ? Int32($0) : 0
            })
    }

    /// A file whose name has one of these words in the place of `image`, or after the stem.
    private static func companion(of path: String, named words: [String]) -> String? {
        let (folder, name) = ((path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent)
        guard let dot = name.firstIndex(of: ".") else { return nil }
        let (stem, ending) = (String(name[..<dot]), String(name[dot...]))
        var stems = [stem]
        for word in ["image", "img", "sci"] where stem.hasSuffix(word) {
            stems.append(String(stem.dropLast(word.count).dropLast()))
        }
        for word in words {
            for stem in stems {
                for candidate in [stem + "_" + word + ending, stem + "_" + word + ".fits", stem + "-" + word + ending] {
                    let file = folder.isEmpty ? candidate : folder + "/" + candidate
                    if candidate != name && FileManager.default.fileExists(atPath: file) { return file }
                }
            }
        }
        return nil
    }
}
