import Foundation
import ImageProcessing
public import Models
import Tensors

/// A number with its standard deviation.
public struct Estimate: Sendable, Equatable {
    public var value: Double
    public var error: Double

    public init(_ value: Double, error: Double) {
        self.value = value
        self.error = error
    }

    /// Neither is known.
    public static let unknown = Estimate(.nan, error: .nan)
}

/// What the network says of a galaxy in one band.
public struct ParameterEstimate: Sendable {
    /// −2.5 log₁₀ of all its light in the image's unit: add the zero point.
    public var instrumentalMagnitude: Estimate
    /// Semi-major axis that holds half of the light, image pixels.
    public var halfLightRadius: Estimate
    public var sersicIndex: Estimate
    /// Minor over major axis.
    public var axisRatio: Estimate
    /// Of the major axis from +x towards +y in rows as stored, degrees in 0 ..< 180.
    public var angle: Estimate
    /// Bulge's share of the light.
    public var bulgeFraction: Estimate
    /// Of the light within the reference circle, against the noise of the sky.
    public var signalToNoise: Double

    package init(_ prediction: ParameterNetwork.Prediction, _ stamp: ParameterStamp) {
        let (means, errors) = (prediction.means.map(Double.init), prediction.deviations.map(Double.init))
        instrumentalMagnitude = Estimate(-2.5 * log10(stamp.referenceFlux) + means[0], error: errors[0])
        let radius = exp(means[1]) * Double(stamp.binning)
        halfLightRadius = Estimate(radius, error: radius * errors[1])
        let index = exp(means[2])
        sersicIndex = Estimate(index, error: index * errors[2])
        let ratio = 1 / (1 + exp(-means[3]))
        axisRatio = Estimate(ratio, error: ratio * (1 - ratio) * errors[3])
        let (cosine, sine) = (means[4], means[5])
        let degrees = 0.5 * atan2(sine, cosine) * 180 / .pi
        // Across the direction of the shape; an angle that is not known at all has a standard deviation of 180°/√12.
        let size = max(hypot(cosine, sine), 1e-6)
        let across = hypot(errors[4] * sine / size, errors[5] * cosine / size)
        angle = Estimate(degrees < 0 ? degrees + 180 : degrees, error: min(0.5 * across / size * 180 / .pi, 51.96))
        bulgeFraction = Estimate(min(max(means[6], 0), 1), error: errors[6])
        signalToNoise = stamp.signalToNoise
    }
}

/// A network for galaxy parameters, ready to use. A value: worker threads share one.
public struct ParameterEstimator: Sendable {
    public let network: ParameterNetwork
    /// Views whose predictions are averaged: 1, 4 or 8.
    public let views: Int

    /// - Throws: `InferenceError` for a file without such a network, or one for other stamps.
    public init(path: String, views: Int = 8) throws(InferenceError) {
        do { network = try ParameterNetwork.load(path: path, backend: CPUBackend(threads: 1)) } catch {
            throw InferenceError(path: path, error.details)
        }
        let configuration = network.configuration
        guard configuration.channels == ParameterStamp.channels, configuration.side == ParameterStamp.side,
            configuration.scalars == ParameterStamp.scalarCount
        else { throw InferenceError(path: path, "was trained for other stamps than this version makes") }
        precondition([1, 4, 8].contains(views), "[ParameterEstimator] expected 1, 4 or 8 views, got \(views)")
        self.views = views
    }

    package func estimate(_ stamps: [ParameterStamp]) -> [ParameterEstimate] {
        let predictions = network.predict(
            pixels: stamps.flatMap(\.pixels), scalars: stamps.flatMap(\.scalars),
            signalToNoise: stamps.map { Float($0.signalToNoise) }, views: views)
        return zip(predictions, stamps).map(ParameterEstimate.init)
    }
}
