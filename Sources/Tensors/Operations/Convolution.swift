extension Tensor {
    /// Two-dimensional convolution (cross-correlation, as neural networks have it).
    /// - Parameters:
    ///   - weight: (O, C, kh, kw).
    ///   - bias: (O).
    ///   - activation: of the result; ReLU costs nothing extra here.
    /// - Returns: (B, O, H', W') for `self` (B, C, H, W), with H' = (H + 2·padding − kh) / stride + 1.
    public func conv2d(
        _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, activation: Activation = .none
    ) -> Tensor {
        if activation == .gelu { return conv2d(weight, bias: bias, stride: stride, padding: padding).gelu() }
        require(
            rank == 4 && weight.rank == 4 && weight.shape[1] == shape[1] && weight.dtype == dtype, "conv2d",
            expected: "x (B, C, H, W) and weight (O, C, kh, kw) of one type", got: "\(shape) and \(weight.shape)")
        let geometry = ConvolutionGeometry(
            kernelHeight: weight.shape[2], kernelWidth: weight.shape[3], stride: stride, padding: padding)
        let height = geometry.outputLength(shape[2], kernel: weight.shape[2])
        let width = geometry.outputLength(shape[3], kernel: weight.shape[3])
        require(
            stride > 0 && padding >= 0 && shape[2] + 2 * padding >= weight.shape[2]
                && shape[3] + 2 * padding >= weight.shape[3], "conv2d",
            expected: "an image not smaller than the kernel", got: "\(shape), kernel \(weight.shape)")
        if let bias {
            require(
                bias.shape == [weight.shape[0]], "conv2d", expected: "bias [\(weight.shape[0])]", got: "\(bias.shape)")
        }
        let result = Tensor.uninitialized(
            shape: [shape[0], weight.shape[0], height, width], dtype: dtype, on: backend)
        let rectified = activation == .relu
        backend.convolution(self, weight: weight, bias: bias, geometry: geometry, rectified: rectified, into: result)
        guard isOnTape || weight.isOnTape || (bias?.isOnTape ?? false) else { return result }
        let (x, w) = (detached, weight.detached)
        let biasType = bias?.dtype
        let positive = rectified ? result : nil
        return result.recorded(from: [self, weight] + (bias.map { [$0] } ?? [])) { gradient, needs in
            var g = gradient.cast(to: x.dtype)
            if let positive {
                // The slope of ReLU is known from its result.
                let behind = Tensor.uninitialized(shape: g.shape, dtype: g.dtype, on: x.backend)
                x.backend.unaryGradient(.relu, positive, gradient: g, into: behind)
                g = behind
            }
            var gradients: [Tensor?] = [nil, nil]
            if needs[0] {
                let dx = Tensor.uninitialized(shape: x.shape, dtype: x.dtype, on: x.backend)
                x.backend.convolutionInputGradient(g, weight: w, geometry: geometry, into: dx)
                gradients[0] = dx
            }
            if needs[1] {
                let dw = Tensor.uninitialized(shape: w.shape, dtype: w.dtype, on: x.backend)
                x.backend.convolutionWeightGradient(x, gradient: g, geometry: geometry, into: dw)
                gradients[1] = dw
            }
            if let biasType { gradients.append(needs[2] ? g.sum(axes: [0, 2, 3]).cast(to: biasType) : nil) }
            return gradients
        }
    }

    /// Transposed convolution: the adjoint of ``conv2d(_:bias:stride:padding:)`` with the same weight.
    /// - Parameters:
    ///   - weight: (C, O, kh, kw), as PyTorch stores it.
    ///   - bias: (O).
    ///   - outputPadding: rows and columns added at one side of the result.
    /// - Returns: (B, O, H', W') with H' = (H − 1)·stride − 2·padding + kh + outputPadding.
    public func convTransposed2d(
        _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0
    ) -> Tensor {
        require(
            rank == 4 && weight.rank == 4 && weight.shape[0] == shape[1] && weight.dtype == dtype, "convTransposed2d",
            expected: "x (B, C, H, W) and weight (C, O, kh, kw) of one type", got: "\(shape) and \(weight.shape)")
        require(
            outputPadding >= 0 && outputPadding < stride, "convTransposed2d", expected: "outputPadding < stride",
            got: "\(outputPadding) and \(stride)")
        let geometry = ConvolutionGeometry(
            kernelHeight: weight.shape[2], kernelWidth: weight.shape[3], stride: stride, padding: padding)
        let height = (shape[2] - 1) * stride - 2 * padding + weight.shape[2] + outputPadding
        let width = (shape[3] - 1) * stride - 2 * padding + weight.shape[3] + outputPadding
        require(height > 0 && width > 0, "convTransposed2d", expected: "a result", got: "\(height) × \(width)")
        let result = Tensor.uninitialized(
            shape: [shape[0], weight.shape[1], height, width], dtype: dtype, on: backend)
        backend.convolutionInputGradient(self, weight: weight, geometry: geometry, into: result)
        let (x, w) = (detached, weight.detached)
        let recorded = result.recorded(from: [self, weight]) { gradient, needs in
            let g = gradient.cast(to: x.dtype)
            var gradients: [Tensor?] = [nil, nil]
            if needs[0] {
                let dx = Tensor.uninitialized(shape: x.shape, dtype: x.dtype, on: x.backend)
                x.backend.convolution(g, weight: w, bias: nil, geometry: geometry, rectified: false, into: dx)
                gradients[0] = dx
            }
            if needs[1] {
                // Roles swap: the result's gradient is the image, x is what the convolution made of it.
                let dw = Tensor.uninitialized(shape: w.shape, dtype: w.dtype, on: x.backend)
                x.backend.convolutionWeightGradient(g, gradient: x, geometry: geometry, into: dw)
                gradients[1] = dw
            }
            return gradients
        }
        guard let bias else { return recorded }
        require(
            bias.shape == [weight.shape[1]], "convTransposed2d", expected: "bias [\(weight.shape[1])]",
            got: "\(bias.shape)")
        return recorded + bias.reshape([bias.count, 1, 1]).cast(to: dtype)
    }

    /// Maximum over windows of (B, C, H, W); the stride is the window by default.
    public func maxPool2d(_ window: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
        pooled(.maximum, window: window, stride: stride ?? window, padding: padding)
    }

    /// Mean over windows of (B, C, H, W); cells outside the image count for nothing.
    public func averagePool2d(_ window: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
        pooled(.average, window: window, stride: stride ?? window, padding: padding)
    }

    /// Mean over height and width: (B, C, H, W) to (B, C).
    public func globalAveragePool() -> Tensor {
        require(rank == 4, "globalAveragePool", expected: "(B, C, H, W)", got: "\(shape)")
        return mean(axes: [2, 3])
    }

    private func pooled(_ pooling: Pooling, window: Int, stride: Int, padding: Int) -> Tensor {
        require(
            rank == 4 && window > 0 && stride > 0 && padding >= 0 && 2 * padding <= window
                && shape[2] + 2 * padding >= window && shape[3] + 2 * padding >= window, "pool2d",
            expected: "(B, C, H, W) not smaller than the window, padding at most half of it",
            got: "\(shape), window \(window), stride \(stride), padding \(padding)")
        let geometry = ConvolutionGeometry(
            kernelHeight: window, kernelWidth: window, stride: stride, padding: padding)
        let result = Tensor.uninitialized(
            shape: [
                shape[0], shape[1], geometry.outputLength(shape[2], kernel: window),
                geometry.outputLength(shape[3], kernel: window),
            ], dtype: dtype, on: backend)
        backend.pool(pooling, self, geometry: geometry, into: result)
        guard isOnTape else { return result }
        let x = detached
        return result.recorded(from: [self]) { gradient, _ in
            let dx = Tensor.uninitialized(shape: x.shape, dtype: x.dtype, on: x.backend)
            x.backend.poolGradient(pooling, x, gradient: gradient.cast(to: x.dtype), geometry: geometry, into: dx)
            return [dx]
        }
    }

    /// Resizes the last two axes, without antialiasing; pixel centres at half-integers (`align_corners = false`).
    ///
    /// `.bicubic` is PyTorch's `interpolate(mode="bicubic")`, with which timm and DINOv2 (whose released code passes a
    /// size) interpolate position embeddings; timm antialiases when it shrinks them, DINOv2 does not.
    public func resize(height: Int, width: Int, mode: ResizeMode) -> Tensor {
        require(
            rank >= 2 && height > 0 && width > 0 && shape[rank - 1] > 0 && shape[rank - 2] > 0, "resize",
            expected: "(…, H, W) and a positive size", got: "\(shape) to \(height) × \(width)")
        let result = Tensor.uninitialized(shape: shape.dropLast(2) + [height, width], dtype: dtype, on: backend)
        backend.resize(self, mode: mode, into: result)
        guard isOnTape else { return result }
        let (whole, type) = (shape, dtype)
        return result.recorded(from: [self]) { gradient, _ in
            let dx = Tensor.uninitialized(shape: whole, dtype: type, on: gradient.backend)
            gradient.backend.resizeGradient(gradient.cast(to: type), mode: mode, into: dx)
            return [dx]
        }
    }

    /// ``resize(height:width:mode:)`` with cubic convolution, for (C, H, W) or (B, C, H, W).
    public func resizeBicubic(height: Int, width: Int) -> Tensor {
        resize(height: height, width: width, mode: .bicubic)
    }

    /// Enlarges the last two axes by a factor.
    public func upsample(_ factor: Int, mode: ResizeMode = .nearest) -> Tensor {
        require(rank >= 2, "upsample", expected: "(…, H, W)", got: "\(shape)")
        return resize(height: shape[rank - 2] * factor, width: shape[rank - 1] * factor, mode: mode)
    }
}
