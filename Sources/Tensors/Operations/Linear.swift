extension Tensor {
    /// `activation(self · weightᵀ + bias) + residual`: a dense layer.
    ///
    /// Activation and residual are fused into the product. On a tape the activation runs apart, because its derivative
    /// needs the value before it.
    /// - Parameters:
    ///   - weight: (N, K), as PyTorch stores it.
    ///   - bias: (N), float32 or of the weight's type.
    ///   - residual: (…, N), added to the result.
    ///   - output: type of the result; by default the residual's, else that of `self`.
    /// - Returns: (…, N) for `self` (…, K).
    public func linear(
        _ weight: Tensor, bias: Tensor? = nil, activation: Activation = .none, residual: Tensor? = nil,
        output: DType? = nil
    ) -> Tensor {
        require(
            rank >= 1 && weight.rank == 2 && weight.shape[1] == shape[rank - 1], "linear",
            expected: "x (…, K) and weight (N, K)", got: "x \(shape) and weight \(weight.shape)")
        require(
            dtype.isFloatingPoint && weight.dtype == dtype, "linear", expected: "x and weight of one type",
            got: "\(dtype.rawValue) and \(weight.dtype.rawValue)")
        let resultShape = Array(shape.dropLast()) + [weight.shape[0]]
        if let bias {
            require(
                bias.shape == [weight.shape[0]], "linear", expected: "bias [\(weight.shape[0])]", got: "\(bias.shape)")
        }
        if let residual {
            require(
                residual.shape == resultShape, "linear", expected: "residual \(resultShape)", got: "\(residual.shape)")
        }
        let recording = isOnTape || weight.isOnTape || (bias?.isOnTape ?? false)
        if recording && activation != .none {
            let product = linear(weight, bias: bias, output: output)
            let activated = activation == .gelu ? product.gelu() : product.relu()
            return residual.map { activated + $0 } ?? activated
        }
        let result = Tensor.uninitialized(shape: resultShape, dtype: output ?? residual?.dtype ?? dtype, on: backend)
        backend.linear(
            self, weight: weight, bias: bias, activation: activation, residual: residual, into: result)
        guard recording || (residual?.isOnTape ?? false) else { return result }
        let (x, w) = (detached, weight.detached)
        let biasType = bias?.dtype
        let residualType = residual?.dtype
        let inputs = [self, weight] + (bias.map { [$0] } ?? []) + (residual.map { [$0] } ?? [])
        return result.recorded(from: inputs) { gradient, needs in
            var gradients: [Tensor?] = []
            let g = gradient.cast(to: x.dtype)
            gradients.append(needs[0] ? g.matmul(w).cast(to: x.dtype) : nil)
            let needsBias = biasType != nil && needs[2]
            var weightGradient: Tensor?
            var biasGradient: Tensor?
            if needs[1] || needsBias {
                let dw = Tensor.uninitialized(shape: w.shape, dtype: .float32, on: x.backend)
                let db = needsBias ? Tensor.uninitialized(shape: [w.shape[0]], dtype: .float32, on: x.backend) : nil
                x.backend.linearWeightGradient(x, gradient: g, weight: dw, bias: db)
                weightGradient = dw.cast(to: w.dtype)
                biasGradient = db
            }
            gradients.append(weightGradient)
            if let biasType { gradients.append(biasGradient?.cast(to: biasType)) }
            if let residualType { gradients.append(gradient.cast(to: residualType)) }
            return gradients
        }
    }

    /// Matrix product of the last two axes.
    ///
    /// Leading axes are batch axes and must be equal, or absent in `other` (one matrix for all), or absent in `self`.
    /// - Parameters:
    ///   - transposingSelf: use the transpose of `self`'s matrices.
    ///   - transposingOther: use the transpose of `other`'s matrices.
    public func matmul(_ other: Tensor, transposingSelf: Bool = false, transposingOther: Bool = false) -> Tensor {
        require(
            rank >= 2 && other.rank >= 2 && dtype == other.dtype, "matmul",
            expected: "matrices of one type",
            got: "\(shape) \(dtype.rawValue) and \(other.shape) \(other.dtype.rawValue)")
        if rank > 2 && other.rank == 2 && !transposingSelf {
            // One matrix for the whole batch: a single tall product.
            let rows = count / shape[rank - 1]
            let product = reshape([rows, shape[rank - 1]]).matmul(other, transposingOther: transposingOther)
            return product.reshape(shape.dropLast() + [product.shape[1]])
        }
        let batch = Array(shape.dropLast(2))
        require(
            Array(other.shape.dropLast(2)) == batch, "matmul", expected: "equal batch axes",
            got: "\(shape) and \(other.shape)")
        let (m, k) = transposingSelf ? (shape[rank - 1], shape[rank - 2]) : (shape[rank - 2], shape[rank - 1])
        let (k2, n) =
            transposingOther
            ? (other.shape[rank - 1], other.shape[rank - 2]) : (other.shape[rank - 2], other.shape[rank - 1])
        require(k == k2, "matmul", expected: "equal inner lengths", got: "\(shape) and \(other.shape)")
        let result = Tensor.uninitialized(shape: batch + [m, n], dtype: dtype, on: backend)
        backend.matmul(self, transposingA: transposingSelf, other, transposingB: transposingOther, into: result)
        guard isOnTape || other.isOnTape else { return result }
        let (a, b) = (detached, other.detached)
        return result.recorded(from: [self, other]) { gradient, needs in
            // C = A'B'  ⇒  dA' = G B'ᵀ, dB' = A'ᵀ G, transposed again where A' or B' was a transpose.
            var da: Tensor?
            var db: Tensor?
            if needs[0] {
                da =
                    transposingSelf
                    ? b.matmul(gradient, transposingSelf: transposingOther, transposingOther: true)
                    : gradient.matmul(b, transposingOther: !transposingOther)
            }
            if needs[1] {
                db =
                    transposingOther
                    ? gradient.matmul(a, transposingSelf: true, transposingOther: transposingSelf)
                    : a.matmul(gradient, transposingSelf: !transposingSelf)
            }
            return [da, db]
        }
    }
}
