import Foundation

/// Fits one Sérsic profile, seen through the PSF, to a source by least squares.
package struct SersicFit: Sendable {
    package struct Settings: Sendable {
        /// Means over pixels instead of the values at their middles, which are too bright in the centre of steep profiles.
        /// statmorph and astropy take the middles.
        package var integratesPixels = true
        /// Steps of the search.
        package var iterations = 60
        /// Allowed Sérsic indices.
        package var indices = 0.1...10.0

        package init() {}
    }

    package var settings: Settings

    package init(settings: Settings = Settings()) { self.settings = settings }

    /// Starts from the classical measurements, as statmorph does, and adds `sersic_…` and `flag_sersic` to them.
    func measure(
        _ stamp: SourceStamp, centre: (x: Double, y: Double), shape: SourceShape, _ result: inout MorphologyMeasurement
    ) {
        let radius = max(result["rhalf_ellip"], 0.5)
        let ring = Aperture(
            x: centre.x, y: centre.y, inner: max(radius - 0.5, 0), outer: radius + 0.5, axisRatio: shape.axisRatio,
            angle: shape.orientation)
        let brightness = abs(ring.mean(stamp.light, masked: stamp.masked))
        guard brightness > 0 else {
            result.flagSersic = 4
            return
        }
        let concentration = max(result["concentration"], 0)
        let index = min(max(pow(10, -1.5) * pow(concentration, 3.5), 1), 3.5)
        let start = SersicModel(
            x: centre.x, y: centre.y, amplitude: brightness, radius: radius, index: index,
            axisRatio: min(max(shape.axisRatio, 0.05), 0.98), angle: shape.orientation)
        let problem = SersicProblem(stamp, settings: settings)
        guard problem.validPixels > SersicModel.parameterCount,
            let found = LevenbergMarquardt(iterations: settings.iterations).minimize(
                from: start.parameters, limit: limit, problem.evaluate)
        else {
            result.flagSersic = 4
            return
        }
        let model = SersicModel(parameters: found.point)
        result.flagSersic = found.converged ? 0 : 2
        let margin = 1e-6
        if found.converged,
            model.index <= settings.indices.lowerBound * (1 + margin)
                || model.index >= settings.indices.upperBound * (1 - margin)
        {
            result.flagSersic = 1
        }
        result["sersic_amplitude"] = model.amplitude
        result["sersic_rhalf"] = model.radius
        result["sersic_n"] = model.index
        result["sersic_xc"] = model.x + Double(stamp.x0)
        result["sersic_yc"] = model.y + Double(stamp.y0)
        result["sersic_ellip"] = 1 - model.axisRatio
        result["sersic_theta"] = model.angle
        result["sersic_chi2_dof"] = found.chiSquared / Double(problem.validPixels - SersicModel.parameterCount)
        result.sersicFlux = model.flux
    }

    /// Keeps index, shape and size possible.
    private func limit(_ parameters: [Double]) -> [Double] {
        var model = SersicModel(parameters: parameters)
        model.logIndex = min(max(model.logIndex, log(settings.indices.lowerBound)), log(settings.indices.upperBound))
        model.logRadius = min(max(model.logRadius, log(0.05)), log(1e5))
        let size = hypot(model.shape1, model.shape2)
        if size > 0.96 {
            model.shape1 *= 0.96 / size
            model.shape2 *= 0.96 / size
        }
        return model.parameters
    }
}

/// The normal equations of a fit to one stamp.
private struct SersicProblem {
    let stamp: SourceStamp
    let settings: SersicFit.Settings
    /// 1/σ, 0 where a pixel does not count.
    let weights: [Float]
    let data: [Float]
    let validPixels: Int
    let kernel: SeparablePSF?

    init(_ stamp: SourceStamp, settings: SersicFit.Settings) {
        self.stamp = stamp
        self.settings = settings
        weights = zip(stamp.light.values, stamp.sigma.values).map { $0 != 0 && $1 > 0 ? Float(1 / $1) : 0 }
        data = stamp.light.values.map { Float($0) }
        validPixels = weights.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
        kernel = stamp.psf.flatMap(SeparablePSF.init)
    }

    func evaluate(_ parameters: [Double]) -> LevenbergMarquardt.Evaluation? {
        let model = SersicModel(parameters: parameters)
        let (pixels, count) = (weights.count, SersicModel.parameterCount)
        var planes = [Float](repeating: 0, count: 8 * pixels)
        var matrix = [Double](repeating: 0, count: count * count)
        var gradient = [Double](repeating: 0, count: count)
        var chiSquared = 0.0
        planes.withUnsafeMutableBufferPointer { planes in
            model.draw(
                width: stamp.width, height: stamp.height, isIntegrated: settings.integratesPixels, into: planes)
            if let kernel {
                for plane in 0..<8 {
                    kernel.convolve(
                        UnsafeMutableBufferPointer(rebasing: planes[(plane * pixels)..<((plane + 1) * pixels)]),
                        width: stamp.width, height: stamp.height, aroundX: model.x, y: model.y)
                }
            }
            // Row by row in single precision, the rows' sums in double precision.
            for start in stride(from: 0, to: pixels, by: stamp.width) {
                add(planes, start..<start + stamp.width, &matrix, &gradient, &chiSquared)
            }
        }
        for i in 0..<count {
            for j in 0..<i { matrix[j * count + i] = matrix[i * count + j] }
        }
        guard chiSquared.isFinite, gradient.allSatisfy(\.isFinite), matrix.allSatisfy(\.isFinite) else { return nil }
        return .init(chiSquared: chiSquared, matrix: matrix, gradient: gradient)
    }

    /// Adds the weighted derivatives and residuals of some pixels.
    private func add(
        _ planes: UnsafeMutableBufferPointer<Float>, _ range: Range<Int>, _ matrix: inout [Double],
        _ gradient: inout [Double], _ chiSquared: inout Double
    ) {
        var sums = [SIMD8<Float>](repeating: .zero, count: 8)
        for index in range where weights[index] > 0 {
            var row = SIMD8<Float>.zero
            for plane in 0..<8 { row[plane] = planes[plane * weights.count + index] }
            // The residual takes the place of the brightness.
            row[0] = data[index] - row[0]
            row *= weights[index]
            for i in 0..<8 { sums[i] += row[i] * row }
        }
        chiSquared += Double(sums[0][0])
        let count = SersicModel.parameterCount
        for i in 0..<count {
            gradient[i] += Double(sums[0][i + 1])
            for j in 0...i { matrix[i * count + j] += Double(sums[i + 1][j + 1]) }
        }
    }
}
