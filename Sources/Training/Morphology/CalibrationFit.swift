import Models

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Finds the calibration under which held-out images are most likely.
package struct CalibrationFit {
    let target: MorphologyTarget

    package init(_ target: MorphologyTarget) { self.target = target }

    /// - Returns: no change where nothing was held out.
    package func fit(_ heldOut: HeldOutLogits, _ labels: MorphologyLabels) -> MorphologyCalibration {
        var calibration = MorphologyCalibration()
        guard !heldOut.indices.isEmpty else { return calibration }
        let outputs = target.outputCount
        let rows = heldOut.indices.indices.map { heldOut.values[($0 * outputs)..<(($0 + 1) * outputs)] }
        let truths = heldOut.indices.map { labels.value($0) }
        func loss(_ calibration: MorphologyCalibration, _ label: Int? = nil) -> Double {
            zip(rows, truths).reduce(0) { $0 + self.loss($1.0, $1.1, calibration, label) }
        }
        switch target {
        case .classes:
            calibration.temperatures[0] = Self.minimise { loss(MorphologyCalibration(temperatures: [$0])) }
        case .labels(let names):
            calibration.temperatures = names.indices.map { label in
                Self.minimise {
                    loss(MorphologyCalibration(temperatures: .init(repeating: $0, count: names.count)), label)
                }
            }
        case .tree:
            // The two hardly depend on each other: two rounds are enough.
            for _ in 0..<2 {
                let kept = calibration
                calibration.temperatures[0] = Self.minimise {
                    loss(MorphologyCalibration(temperatures: [$0], concentration: kept.concentration))
                }
                let temperatures = calibration.temperatures
                calibration.concentration = Self.minimise {
                    loss(MorphologyCalibration(temperatures: temperatures, concentration: $0))
                }
            }
        }
        return calibration
    }

    /// Negative log likelihood of all held-out images.
    func loss(_ heldOut: HeldOutLogits, _ labels: MorphologyLabels, _ calibration: MorphologyCalibration) -> Double {
        let outputs = target.outputCount
        return heldOut.indices.enumerated().reduce(0) { sum, item in
            let logits = heldOut.values[(item.offset * outputs)..<((item.offset + 1) * outputs)]
            return sum + loss(logits, labels.value(item.element), calibration, nil)
        }
    }

    /// Negative log likelihood of one image, of one label only where given.
    private func loss(
        _ logits: ArraySlice<Float>, _ truth: ArraySlice<Float>, _ calibration: MorphologyCalibration, _ label: Int?
    ) -> Double {
        let answer = target.answer(logits, calibration)
        switch target {
        case .classes: return -LogLoss.logarithm(answer.values[Int(truth.first!)])
        case .labels:
            return zip(answer.values, truth).enumerated().reduce(0) { sum, item in
                let (p, y) = (item.element.0, Double(item.element.1))
                if y.isNaN || label != nil && item.offset != label { return sum }
                return sum - y * LogLoss.logarithm(p) - (1 - y) * LogLoss.logarithm(1 - p)
            }
        case .tree(let tree):
            return tree.answerRanges.reduce(0) { sum, range in
                let votes = truth.dropFirst(range.lowerBound).prefix(range.count).map(Double.init)
                return sum - VoteMetrics.dirichletMultinomial(votes, Array(answer.concentrations[range]))
            }
        }
    }

    /// The minimum between 1/20 and 20 of a function with one, by golden sections of the logarithm.
    static func minimise(_ function: (Double) -> Double) -> Double {
        let ratio = (5.0.squareRoot() - 1) / 2
        var (low, high) = (log(0.05), log(20.0))
        var (a, b) = (high - ratio * (high - low), low + ratio * (high - low))
        var (fa, fb) = (function(exp(a)), function(exp(b)))
        for _ in 0..<24 {
            if fa < fb {
                (high, b, fb) = (b, a, fa)
                a = high - ratio * (high - low)
                fa = function(exp(a))
            } else {
                (low, a, fa) = (a, b, fb)
                b = low + ratio * (high - low)
                fb = function(exp(b))
            }
        }
        return exp((low + high) / 2)
    }
}
