public import AstroIO
public import ImageProcessing
public import Models
import Tensors

/// Finds the sources of an image, by the network or classically; both give the same kind of result.
///
/// ```swift
/// let detector = try SourceDetector.network(path: "detection.safetensors", workers: 8)
/// let found = try detector.detect(in: ImageReader.read("field.fits"))
/// try found.catalog(of: image).write(to: "field_sources.fits")
/// ```
public struct SourceDetector: Sendable {
    private enum Method: Sendable {
        case sep(SourceExtractor)
        case network(TiledNetwork, keepsArtefacts: Bool)
    }

    private let method: Method
    /// How the sky is found.
    public var background: BackgroundModel.Settings

    /// Classical extraction.
    public static func sep(
        _ settings: SourceExtractor.Settings = .init(), background: BackgroundModel.Settings = .init()
    ) -> SourceDetector {
        SourceDetector(method: .sep(SourceExtractor(settings)), background: background)
    }

    /// A network; the sky is found as in its training.
    public static func network(
        _ network: DetectionNetwork, workers: Int, keepsArtefacts: Bool = false, execution: Execution = Execution()
    ) -> SourceDetector {
        SourceDetector(
            method: .network(
                TiledNetwork(network, workers: workers, execution: execution), keepsArtefacts: keepsArtefacts),
            background: .init(box: network.configuration.backgroundBox))
    }

    /// A network from a file.
    ///
    /// - Parameter threshold: of the score, instead of the file's.
    /// - Throws: `InferenceError` for a file that is no detection network.
    public static func network(
        path: String, workers: Int, threshold: Float? = nil, keepsArtefacts: Bool = false
    ) throws(InferenceError) -> SourceDetector {
        do {
            var network = try DetectionNetwork.load(path: path, backend: CPUBackend(threads: 1))
            guard network.configuration.tokenWidth == nil else {
                throw InferenceError(path: path, "needs the tokens of a backbone, which `detect` does not compute")
            }
            if let threshold {
                var thresholds = network.configuration.thresholds
                thresholds.centre = threshold
                network = network.with(thresholds: thresholds)
            }
            return .network(network, workers: workers, keepsArtefacts: keepsArtefacts)
        } catch let error as ModelError {
            throw InferenceError(path: path, error.details)
        } catch let error as InferenceError {
            throw error
        } catch {
            throw InferenceError(path: path, "\(error)")
        }
    }

    /// What `DETECTOR` in a catalog's header says.
    public var name: String {
        switch method {
        case .sep: "sep"
        case .network: "network"
        }
    }

    /// Finds and measures the sources of an image.
    ///
    /// - Throws: `ExtractionError`: an image without a usable pixel, or limits of libsep.
    public func detect(in image: Image) throws(ExtractionError) -> MeasuredSources {
        let plane = try DetectionImage(image, background: background)
        return try MeasuredSources(segmentation(of: plane), in: plane)
    }

    /// Finds the sources of a detection image without photometry.
    public func segmentation(of plane: DetectionImage) throws(ExtractionError) -> Segmentation {
        switch method {
        case .sep(let extractor): return try extractor.extract(plane)
        case .network(let network, let keepsArtefacts):
            let maps = network.maps(
                significance: plane.significance, mask: plane.mask, width: plane.width, height: plane.height)
            return SourceGrouping(network.network.configuration.thresholds)
                .segmentation(of: maps, in: plane, keepsArtefacts: keepsArtefacts)
        }
    }
}
