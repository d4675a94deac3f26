public import AstroIO
import Foundation
public import ImageProcessing
import Kernels
public import Models
import Tensors

/// Restores images: each band by itself, in the image's own unit.
///
/// ```swift
/// let restorer = try Restorer(path: "restoration.safetensors", workers: 8)
/// let restored = try restorer.restore(image, RestorationSettings())
/// ```
public struct Restorer: Sendable {
    public let network: RestorationNetwork
    private let pool: WorkerPool
    private let execution: Execution
    /// Side of the tiles that are restored at once, pixels; a multiple of 8.
    public var tileSide = 512

    /// - Throws: `ModelError` for a file that holds no restoration network.
    public init(path: String, workers: Int, precision: Precision = .float32) throws(ModelError) {
        self.init(try .load(path: path, backend: CPUBackend(threads: 1)), workers: workers, precision: precision)
    }

    /// - Parameter network: on a backend with one thread.
    public init(_ network: RestorationNetwork, workers: Int, precision: Precision = .float32) {
        self.network = network
        pool = WorkerPool(threads: workers)
        execution = Execution(precision: precision)
    }

    /// - Parameter progress: called with the share that is done, 0 … 1.
    /// - Throws: `RestorationError` naming the band: too small, no valid pixel, no noise.
    public func restore(
        _ image: Image, _ settings: RestorationSettings, progress: (Double) -> Void = { _ in }
    ) throws(RestorationError) -> RestoredImage {
        guard image.width >= 16, image.height >= 16 else {
            throw RestorationError(
                .tooSmall, "the image is \(image.width) × \(image.height) pixels; at least 16 × 16 are needed")
        }
        let factor = settings.refines ? 2 : 1
        var (pixels, variance, mask): ([Float], [Float], [PixelMask]) = ([], [], [])
        var bands: [RestoredImage.Band] = []
        for (index, name) in image.bands.enumerated() {
            let result = try RestoredBand(
                BandContent(image, band: index), settings,
                restored: { input, fine in
                    var tiled = TiledRestoration(network: network, execution: execution)
                    tiled.tileSide = tileSide
                    let total = Double(tiled.tileCount(width: input.width, height: input.height) * image.bands.count)
                    return tiled(input, fine: fine, pool: pool) {
                        progress(Double(index) / Double(image.bands.count) + Double($0) / total)
                    }
                }, calibration: network.configuration.calibration)
            pixels += result.pixels
            variance += result.variance
            mask += result.mask
            bands.append(result.summary(name))
        }
        var restored = Image(
            bands: image.bands, width: factor * image.width, height: factor * image.height, pixels: pixels,
            mask: mask.allSatisfy(\.isEmpty) ? nil : mask, variance: variance, rowOrder: image.rowOrder,
            wcs: factor == 1 ? image.wcs : image.wcs?.resized(factorX: 2, factorY: 2), header: image.header,
            unit: image.unit, provenance: image.provenance)
        restored.provenance.history += Self.history(settings, bands)
        return RestoredImage(image: restored, bands: bands)
    }

    private static func history(_ settings: RestorationSettings, _ bands: [RestoredImage.Band]) -> [String] {
        var steps: [String] = []
        if settings.replacesAll { steps.append("noise removed") }
        if let psf = settings.psf {
            steps.append(String(format: "PSF from %.2f to %.2f pixels FWHM", psf.from.fwhm, psf.to.fwhm))
        }
        if settings.fills { steps.append("gaps filled") }
        if settings.refines { steps.append("pixels halved") }
        return ["restored by a network: " + steps.joined(separator: ", ")]
            + bands.map { band in
                let noise = String(format: "%.4g", band.noise) + (band.noiseIsMeasured ? " measured" : "")
                let ratios = String(format: "total %.4f aperture %.4f", band.flux.total, band.flux.aperture)
                return
                    "\(band.name): noise \(noise), \(band.masked) masked, \(band.found) found, flux ratio \(ratios)"
            }
    }
}
