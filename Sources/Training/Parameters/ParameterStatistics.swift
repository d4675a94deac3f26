import Foundation

/// Bias and scatter of one method in one quantity, over some galaxies.
public struct ParameterStatistics: Sendable, Codable {
    public var count: Int
    /// Median error.
    public var bias: Double
    /// Half of the distance between the 16th and the 84th percentile of the errors.
    public var scatter: Double
    /// Root of the mean squared error.
    public var rms: Double

    /// - Parameter errors: those that are not finite (no measurement) do not count.
    public init(_ errors: [Double]) {
        let sorted = errors.filter(\.isFinite).sorted()
        count = sorted.count
        func quantile(_ share: Double) -> Double {
            sorted.isEmpty ? .nan : sorted[Int((share * Double(sorted.count - 1)).rounded())]
        }
        bias = quantile(0.5)
        scatter = (quantile(0.841) - quantile(0.159)) / 2
        rms = sorted.isEmpty ? .nan : (sorted.reduce(0) { $0 + $1 * $1 } / Double(sorted.count)).squareRoot()
    }

    /// The error of a quantity, in the units of ``ParameterBenchmark/quantities``.
    public static func error(of value: Double, truth: Double, quantity: String) -> Double {
        switch quantity {
        case "half_light_radius", "sersic_index": value > 0 ? log(value / truth) : .nan
        case "position_angle":
            // Half a turn is no turn.
            (value - truth) - 180 * ((value - truth) / 180).rounded()
        default: value - truth
        }
    }
}

extension ParameterBenchmark {
    /// A way to find parameters.
    public enum Method: String, Sendable, CaseIterable, Codable {
        case network
        case sersicFit = "sersic_fit"
        case classical
    }

    /// Errors of a method in a quantity (by its place in ``quantities``); NaN where it has no good value.
    public func errors(_ method: Method, _ quantity: Int, rows: [Row]) -> [Double] {
        rows.map { row in
            let (values, isGood): ([Double?], Bool) =
                switch method {
                case .network: (row.network, true)
                case .sersicFit: (row.sersicFit, row.sersicIsGood)
                case .classical: (row.classical, row.classicalIsGood)
                }
            guard isGood, let value = values[quantity] else { return .nan }
            return ParameterStatistics.error(
                of: value, truth: row.truth[quantity], quantity: Self.quantities[quantity])
        }
    }

    /// Share of the truths within some standard deviations of what the network says.
    public func coverage(_ quantity: Int, within deviations: Double, rows: [Row]) -> Double {
        let errors = errors(.network, quantity, rows: rows)
        let inside = zip(errors, rows).filter { abs($0) <= deviations * $1.networkDeviations[quantity] }.count
        return Double(inside) / Double(max(rows.count, 1))
    }
}
