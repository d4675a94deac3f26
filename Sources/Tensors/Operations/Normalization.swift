extension Tensor {
    /// Layer normalisation over the last axis (arXiv 1607.06450).
    /// - Parameters:
    ///   - weight, bias: (W) float32, or nil for none.
    ///   - output: type of the result; the sums are float32 in any case.
    public func layerNorm(
        weight: Tensor?, bias: Tensor?, epsilon: Float = 1e-6, output: DType? = nil
    ) -> Tensor {
        require(rank >= 1, "layerNorm", expected: "at least one axis", got: "\(shape)")
        for parameter in [weight, bias] {
            guard let parameter else { continue }
            require(
                parameter.shape == [shape[rank - 1]] && parameter.dtype == .float32, "layerNorm",
                expected: "float32 parameters [\(shape[rank - 1])]",
                got: "\(parameter.dtype.rawValue) \(parameter.shape)")
        }
        let result = Tensor.uninitialized(shape: shape, dtype: output ?? dtype, on: backend)
        let recording = isOnTape || (weight?.isOnTape ?? false) || (bias?.isOnTape ?? false)
        guard recording else {
            backend.layerNorm(self, weight: weight, bias: bias, epsilon: epsilon, into: result, statistics: nil)
            return result
        }
        let width = shape[rank - 1]
        let statistics = Tensor.uninitialized(shape: [2, count / Swift.max(width, 1)], on: backend)
        backend.layerNorm(self, weight: weight, bias: bias, epsilon: epsilon, into: result, statistics: statistics)
        let (x, w) = (detached, weight?.detached)
        let inputs = [self] + (weight.map { [$0] } ?? []) + (bias.map { [$0] } ?? [])
        let (hasWeight, hasBias) = (weight != nil, bias != nil)
        return result.recorded(from: inputs) { gradient, needs in
            let dx = Tensor.uninitialized(shape: x.shape, dtype: x.dtype, on: x.backend)
            let dw = hasWeight ? Tensor.uninitialized(shape: [width], on: x.backend) : nil
            let db = hasBias ? Tensor.uninitialized(shape: [width], on: x.backend) : nil
            x.backend.layerNormGradient(
                x, weight: w, statistics: statistics, gradient: gradient, into: dx, weightGradient: dw,
                biasGradient: db)
            return [dx] + (hasWeight ? [dw] : []) + (hasBias ? [db] : [])
        }
    }

    /// Softmax over the last axis.
    public func softmax() -> Tensor { softmax(logarithmic: false) }

    /// Logarithm of the softmax over the last axis.
    public func logSoftmax() -> Tensor { softmax(logarithmic: true) }

    private func softmax(logarithmic: Bool) -> Tensor {
        require(rank >= 1, "softmax", expected: "at least one axis", got: "\(shape)")
        let result = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        backend.softmax(self, logarithmic: logarithmic, into: result)
        guard isOnTape else { return result }
        let y = result
        return result.recorded(from: [self]) { gradient, _ in
            let out = Tensor.uninitialized(shape: y.shape, dtype: y.dtype, on: y.backend)
            y.backend.softmaxGradient(y, gradient: gradient.cast(to: y.dtype), logarithmic: logarithmic, into: out)
            return [out]
        }
    }

    /// Batch normalisation of (B, C, …) per channel with the batch's own statistics (arXiv 1502.03167), which are
    /// blended into the running ones: `running += momentum · (batch − running)`, the variance unbiased.
    /// - Parameters:
    ///   - weight, bias: (C).
    ///   - runningMean, runningVariance: (C), updated in place; not differentiated.
    public func batchNorm(
        weight: Tensor, bias: Tensor, runningMean: Tensor, runningVariance: Tensor, momentum: Float = 0.1,
        epsilon: Float = 1e-5
    ) -> Tensor {
        requireChannels([weight, bias, runningMean, runningVariance], in: "batchNorm")
        let axes = [0] + Array(2..<rank)
        let channels = [1, shape[1]] + [Int](repeating: 1, count: rank - 2)
        let number = Float(count / shape[1])
        let mean = self.mean(axes: axes, keepingAxes: true)
        let centred = self - mean
        let variance = centred.square().mean(axes: axes, keepingAxes: true)
        let meanNow = mean.detached.reshape([shape[1]])
        let varianceNow = variance.detached.reshape([shape[1]])
        runningMean.scaleInPlace(1 - momentum)
        runningMean.addInPlace(meanNow.cast(to: .float32), scale: momentum)
        runningVariance.scaleInPlace(1 - momentum)
        runningVariance.addInPlace(
            varianceNow.cast(to: .float32), scale: momentum * number / Swift.max(number - 1, 1))
        let scale = weight.reshape(channels) / (variance + epsilon).sqrt()
        return centred * scale + bias.reshape(channels)
    }

    /// Batch normalisation with given statistics, for inference.
    public func batchNorm(weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: Float = 1e-5) -> Tensor
    {
        requireChannels([weight, bias, mean, variance], in: "batchNorm")
        let channels = [1, shape[1]] + [Int](repeating: 1, count: rank - 2)
        let scale = weight / (variance + epsilon).sqrt()
        let offset = bias - mean * scale
        return self * scale.reshape(channels) + offset.reshape(channels)
    }

    private func requireChannels(_ parameters: [Tensor], in operation: StaticString) {
        require(rank >= 2, operation, expected: "(B, C, …)", got: "\(shape)")
        for parameter in parameters {
            require(
                parameter.shape == [shape[1]], operation, expected: "parameters [\(shape[1])]",
                got: "\(parameter.shape)")
        }
    }
}
