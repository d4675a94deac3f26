import Foundation
import ImageProcessing
public import Inference
import Kernels
import Synchronization
import Tensors

/// Judges detection methods on the same simulated fields, side by side.
public struct DetectionBenchmark: Sendable {
    /// A method with the name that tables and plots have for it.
    public struct Method: Sendable {
        public var name: String
        public var detector: SourceDetector
        /// Smallest score that counts as a detection where precision and recall are asked for.
        public var threshold: Double

        public init(_ name: String, _ detector: SourceDetector, threshold: Double = -.infinity) {
            self.name = name
            self.detector = detector
            self.threshold = threshold
        }
    }

    /// What a method did on a field.
    public struct Outcome: Sendable {
        /// For each criterion.
        public var matchings: [DetectionMatching]
        /// Centres within 3 pixels, with all true sources asked for that are not hopeless: for curves.
        public var complete: DetectionMatching
        public var seconds: Double
        /// The true sources of the field.
        public var truth: DetectionTruth
    }

    /// The criteria of the table: IoU of segments and of boxes, and distance of centres in pixels.
    public static let criteria: [(name: String, criterion: DetectionMatching.Criterion)] = [
        ("segment IoU ≥ 0.5", .segments(0.5)), ("box IoU ≥ 0.5", .boxes(0.5)), ("centre within 3 px", .centres(3)),
    ]

    public let fields: DetectionFields
    public let count: Int
    /// Signal-to-noise ratio of a matched filter from which on sources are asked for.
    public let minimumSignificance: Double
    /// All fields as one survey takes them, in all bands, instead of as different as possible: for curves against magnitude.
    public let isSurvey: Bool

    public init(seed: UInt64, count: Int, size: Int, minimumSignificance: Double, isSurvey: Bool) {
        fields = DetectionFields(seed: seed, size: size)
        self.count = count
        self.minimumSignificance = minimumSignificance
        self.isSurvey = isSurvey
    }

    /// - Parameter report: called with the number of fields done.
    /// - Returns: methods × fields.
    public func run(_ methods: [Method], workers: Int, _ report: (Int) -> Void) throws -> [[Outcome]] {
        let state = Mutex(
            (done: 0, outcomes: [[Outcome]?](repeating: nil, count: count), error: nil as ExtractionError?))
        WorkerPool(threads: workers).parallelFor(count) { index in
            do throws(ExtractionError) {
                let outcomes = try judge(methods, field: index)
                state.withLock { state in
                    state.outcomes[index] = outcomes
                    state.done += 1
                    report(state.done)
                }
            } catch {
                state.withLock { $0.error = error }
            }
        }
        let (all, error) = state.withLock { ($0.outcomes.compactMap { $0 }, $0.error) }
        if let error { throw error }
        return methods.indices.map { method in all.map { $0[method] } }
    }

    private func judge(_ methods: [Method], field index: Int) throws(ExtractionError) -> [Outcome] {
        let field = isSurvey ? fields.surveyField(index) : fields.field(index)
        var list: [Outcome] = []
        // What is true does not depend on the method: all are judged by the sky as the first one saw it.
        var truth: DetectionTruth?
        for method in methods {
            var random = RandomNumbers(seed: fields.seed, stream: 0xE7A1_0000_0000 | UInt64(index))
            let background = method.detector.background
            let example =
                isSurvey
                ? try DetectionExample(field, background: background)
                : try DetectionExample(field, background: background, random: &random)
            let known = truth ?? example.truth
            truth = known
            let start = ContinuousClock.now
            let segmentation = try method.detector.segmentation(of: example.image)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            let magnitudes = isSurvey ? try Self.magnitudes(segmentation, example.image) : []
            let scores = Self.scores(segmentation, example.image)
            func matching(_ criterion: DetectionMatching.Criterion, _ significance: Double) -> DetectionMatching {
                DetectionMatching(
                    segmentation, scores: scores, magnitudes: magnitudes, truth: known, criterion: criterion,
                    minimumSignificance: significance)
            }
            list.append(
                Outcome(
                    matchings: Self.criteria.map { matching($0.criterion, minimumSignificance) },
                    complete: matching(.centres(3), 1), seconds: seconds, truth: known))
        }
        return list
    }

    /// The network's scores; for a method without, the significance of the isophotal flux.
    private static func scores(_ segmentation: Segmentation, _ image: DetectionImage) -> [Double] {
        segmentation.sources.map { source in
            if source.probability.isFinite { return source.probability }
            let noise = Double(image.noise[Int(source.y.rounded()) * image.width + Int(source.x.rounded())])
            return source.isophotalFlux / (noise * Double(source.area).squareRoot())
        }
    }

    private static func magnitudes(
        _ segmentation: Segmentation, _ image: DetectionImage
    ) throws(ExtractionError) -> [Double] {
        let measured = try MeasuredSources(segmentation, in: image)
        let nanomaggies = PhotometricZeroPoint(22.5, origin: "simulation")
        return measured.photometry[measured.referenceBand].map {
            nanomaggies.magnitude(flux: $0.flux, error: $0.fluxError).value
        }
    }
}
