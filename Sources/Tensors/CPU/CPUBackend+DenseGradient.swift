internal import CDNNL
internal import Kernels

extension CPUBackend {
    public func recordsDense(_ layers: [DenseLayer], _ x: Tensor, precision: Precision) -> Bool {
        precision == .bfloat16 && threads == 1 && OneDNN.hasBFloat16Products && x.count > 0
            && (layers[0].norm == nil || x.dtype == .float32)
            && layers.dropFirst().allSatisfy { $0.norm == nil } && layers[layers.count - 1].activation == .none
            && layers.allSatisfy { $0.factor == nil && $0.weight.dtype == .float32 }
    }

    public func keepingDense(
        _ layers: [DenseLayer], _ x: Tensor, residual: Tensor?, into out: Tensor
    ) -> [DenseActivations] {
        let rows = x.count / x.shape[x.rank - 1]
        func values(_ columns: Int) -> Tensor {
            .uninitialized(shape: [rows, columns], dtype: .bfloat16, on: self)
        }
        let kept = layers.enumerated().map { index, layer in
            DenseActivations(
                operand: index == 0 && layer.norm == nil && x.dtype == .bfloat16
                    ? x.detached : values(layer.weight.shape[1]),
                statistics: layer.norm == nil ? nil : .uninitialized(shape: [2, rows], on: self),
                preactivation: layer.activation == .none ? nil : values(layer.weight.shape[0]))
        }
        DensePass(self, layers, x, kept).forward(residual: residual, into: out)
        return kept
    }

    public func denseGradient(
        _ layers: [DenseLayer], _ x: Tensor, kept: [DenseActivations], gradient: Tensor, adding: Bool,
        needs: DenseNeeds
    ) -> DenseGradients {
        var result = DenseGradients(x: nil, layers: layers.map { _ in DenseGradients.Layer() })
        let needsNorm = layers[0].norm != nil && needs.layers[0].norm
        if needs.x { result.x = .uninitialized(shape: x.shape, dtype: x.dtype, on: self) }
        if needsNorm {
            result.layers[0].normWeight = .zeros([x.shape[x.rank - 1]], on: self)
            result.layers[0].normBias = .zeros([x.shape[x.rank - 1]], on: self)
        }
        let ofProducts = DensePass(self, layers, x, kept).backward(
            gradient, into: result.x, adding: adding, normWeight: result.layers[0].normWeight,
            normBias: result.layers[0].normBias)
        for (index, layer) in layers.enumerated() where needs.layers[index].weight || needs.layers[index].bias {
            let weight = Tensor.uninitialized(shape: layer.weight.shape, on: self)
            let bias = needs.layers[index].bias ? Tensor.uninitialized(shape: [layer.weight.shape[0]], on: self) : nil
            linearWeightGradient(kept[index].operand, gradient: ofProducts[index], weight: weight, bias: bias)
            result.layers[index].weight = needs.layers[index].weight ? weight : nil
            result.layers[index].bias = bias
        }
        return result
    }
}

/// Dense layers in bfloat16 and their gradient, block of rows by block of rows, so that sums and gradients are still in the
/// second-level cache when the loop that follows a product reads them. On one thread.
private struct DensePass {
    let backend: CPUBackend
    let layers: [DenseLayer]
    let x: Tensor
    let kept: [DenseActivations]
    let rows: Int
    /// Rows of a block.
    let block: Int

    init(_ backend: CPUBackend, _ layers: [DenseLayer], _ x: Tensor, _ kept: [DenseActivations]) {
        self.backend = backend
        self.layers = layers
        self.x = x
        self.kept = kept
        rows = x.count / x.shape[x.rank - 1]
        let widest = layers.reduce(1) { max($0, $1.weight.shape[0], $1.weight.shape[1]) }
        block = min(256, max(32, (384 * 1024 / 4 / widest) & ~15))
    }

    private var kernels: HostKernels { backend.kernels }
    private var profiler: Profiler { backend.profiler }

    private func scratch(_ count: Int) -> CPUStorage {
        CPUStorage(byteCount: count * 4, allocator: backend.allocator, backend: backend)
    }

    /// Row `row` of a tensor whose last axis is its columns.
    private func pointer(_ tensor: Tensor, _ row: Int) -> UnsafeMutableRawPointer {
        backend.raw(tensor) + row * tensor.shape[tensor.rank - 1] * tensor.dtype.byteCount
    }

    private func forEachBlock(_ body: (Range<Int>) -> Void) {
        for first in stride(from: 0, to: rows, by: block) { body(first..<min(first + block, rows)) }
    }

    // MARK: - Forward

    func forward(residual: Tensor?, into out: Tensor) {
        let last = layers.count - 1
        let direct = residual == nil && out.dtype == .bfloat16 && layers[last].bias != nil
        let widest = layers.reduce(1) { max($0, $1.weight.shape[0], $1.weight.shape[1]) }
        let sums = scratch(block * widest)
        forEachBlock { range in
            prepareOperand(range, sums)
            for (index, layer) in layers.enumerated() {
                let columns = layer.weight.shape[0]
                let left = pointer(kept[index].operand, range.lowerBound)
                if index == last, direct {
                    multiply(left, layer, bias: layer.bias, rows: range.count, into: pointer(out, range.lowerBound))
                    continue
                }
                multiply(left, layer, bias: nil, rows: range.count, into: sums.pointer)
                var epilogue = DenseEpilogue(.float32(sums.pointer.assumingMemoryBound(to: Float.self)))
                epilogue.bias = layer.bias.map { UnsafePointer(backend.floats($0)) }
                profiler.measure(.elementwise) {
                    if index == last {
                        epilogue.residual = residual.map {
                            (UnsafeRawPointer(pointer($0, range.lowerBound)), $0.dtype.element)
                        }
                        kernels.finish(
                            epilogue, into: pointer(out, range.lowerBound), type: out.dtype.element, rows: range.count,
                            columns: columns)
                        return
                    }
                    let next = pointer(kept[index + 1].operand, range.lowerBound)
                    let before = kept[index].preactivation.map { pointer($0, range.lowerBound) } ?? next
                    kernels.finish(epilogue, into: before, type: .bfloat16, rows: range.count, columns: columns)
                    guard layer.activation != .none else { return }
                    kernels.unary(
                        layer.activation == .gelu ? .gelu : .relu, before, into: next, type: .bfloat16,
                        count: range.count * columns)
                }
            }
        }
    }

    /// Normalises and rounds rows of x to the first layer's left factor.
    private func prepareOperand(_ range: Range<Int>, _ buffer: CPUStorage) {
        let operand = kept[0].operand
        guard operand.storage !== x.storage else { return }
        let columns = x.shape[x.rank - 1]
        let source = pointer(x, range.lowerBound)
        let target = pointer(operand, range.lowerBound)
        guard let norm = layers[0].norm, let statistics = kept[0].statistics else {
            profiler.measure(.copy) {
                kernels.convert(source, x.dtype.element, into: target, .bfloat16, count: range.count * columns)
            }
            return
        }
        // A few rows at a time are normalised in the first-level cache and rounded from there.
        let step = max(1, 4096 / columns)
        let saved = backend.floats(statistics)
        profiler.measure(.normalization) {
            for first in stride(from: 0, to: range.count, by: step) {
                let count = min(step, range.count - first)
                let row = range.lowerBound + first
                kernels.layerNorm(
                    source + first * columns * 4, weight: backend.floats(norm.weight), bias: backend.floats(norm.bias),
                    epsilon: norm.epsilon, into: buffer.pointer, mean: saved + row,
                    inverseDeviation: saved + rows + row,
                    type: .float32, rows: count, columns: columns)
                kernels.convert(
                    buffer.pointer, .float32, into: target + first * columns * 2, .bfloat16, count: count * columns)
            }
        }
    }

    private func multiply(
        _ left: UnsafeMutableRawPointer, _ layer: DenseLayer, bias: Tensor?, rows: Int,
        into out: UnsafeMutableRawPointer
    ) {
        guard let product = backend.denseProduct(.bfloat16, rows: rows, layer.weight.shape, bias: bias != nil) else {
            preconditionFailure("[dense] expected a product of bfloat16 matrices, got none")
        }
        let layout = product.layout(dnnl_query_weights_md)
        var arguments = [
            OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: product.layout(dnnl_query_src_md), pointer: left),
            OneDNN.Argument(
                role: DNNL_ARG_WEIGHTS_0, layout: layout,
                pointer: backend.packed(layer.weight, as: layout).storage.pointer),
            OneDNN.Argument(role: DNNL_ARG_DST_0, layout: product.layout(dnnl_query_dst_md), pointer: out),
        ]
        if let bias {
            arguments.append(
                OneDNN.Argument(
                    role: DNNL_ARG_BIAS, layout: product.layout(dnnl_query_weights_md, 1), pointer: backend.raw(bias)))
        }
        profiler.measure(.product) { backend.dnnl.execute(product, arguments, threads: 1) }
    }

    // MARK: - Backward

    /// Writes the gradient of x, adds to those of the norm, and returns those of the products, each (rows, N) bfloat16.
    func backward(
        _ gradient: Tensor, into xGradient: Tensor?, adding: Bool, normWeight: Tensor?, normBias: Tensor?
    ) -> [Tensor] {
        let gradients = layers.enumerated().map { index, layer in
            index == layers.count - 1 && gradient.dtype == .bfloat16
                ? gradient.detached
                : Tensor.uninitialized(shape: [rows, layer.weight.shape[0]], dtype: .bfloat16, on: backend)
        }
        let columns = x.shape[x.rank - 1]
        let reachesInput = xGradient != nil || normWeight != nil
        let sums = scratch(reachesInput && layers[0].norm != nil ? block * columns : 0)
        forEachBlock { range in
            let first = range.lowerBound
            if gradient.dtype == .float32 {
                profiler.measure(.copy) {
                    kernels.convert(
                        pointer(gradient, first), .float32, into: pointer(gradients[layers.count - 1], first),
                        .bfloat16,
                        count: range.count * layers[layers.count - 1].weight.shape[0])
                }
            }
            for index in stride(from: layers.count - 1, to: 0, by: -1) {
                let target = pointer(gradients[index - 1], first)
                multiplyBack(
                    pointer(gradients[index], first), layers[index].weight, rows: range.count, .bfloat16, into: target)
                guard let before = kept[index - 1].preactivation else { continue }
                profiler.measure(.elementwise) {
                    kernels.unaryGradient(
                        layers[index - 1].activation == .gelu ? .gelu : .relu, pointer(before, first), gradient: target,
                        into: target, type: .bfloat16, count: range.count * before.shape[1])
                }
            }
            guard reachesInput else { return }
            let upper = pointer(gradients[0], first)
            guard let norm = layers[0].norm, let statistics = kept[0].statistics else {
                if let xGradient {
                    multiplyBack(
                        upper, layers[0].weight, rows: range.count, xGradient.dtype, into: pointer(xGradient, first))
                }
                return
            }
            multiplyBack(upper, layers[0].weight, rows: range.count, .float32, into: sums.pointer)
            let saved = backend.floats(statistics)
            profiler.measure(.normalization) {
                kernels.layerNormGradient(
                    pointer(x, first), gradient: sums.pointer, weight: backend.floats(norm.weight), mean: saved + first,
                    inverseDeviation: saved + rows + first, into: sums.pointer,
                    weightGradient: normWeight.map(backend.floats), biasGradient: normBias.map(backend.floats),
                    type: .float32, rows: range.count, columns: columns)
                guard let xGradient else { return }
                finish(sums, gradient, adding: adding, range, into: xGradient)
            }
        }
        return gradients
    }

    /// Writes sums, or sums plus the gradient of the result, to rows of the gradient of x.
    private func finish(_ sums: CPUStorage, _ gradient: Tensor, adding: Bool, _ range: Range<Int>, into out: Tensor) {
        let columns = out.shape[out.rank - 1]
        var epilogue = DenseEpilogue(.float32(sums.pointer.assumingMemoryBound(to: Float.self)))
        if adding {
            epilogue.residual = (UnsafeRawPointer(pointer(gradient, range.lowerBound)), gradient.dtype.element)
        }
        kernels.finish(
            epilogue, into: pointer(out, range.lowerBound), type: .float32, rows: range.count, columns: columns)
    }

    /// `out = left · weight`, left (rows, N) bfloat16, weight (N, K).
    private func multiplyBack(
        _ left: UnsafeMutableRawPointer, _ weight: Tensor, rows: Int, _ type: DType, into out: UnsafeMutableRawPointer
    ) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        let source = OneDNN.Layout([rows, n], .bfloat16)
        let result = OneDNN.Layout([rows, k], type)
        let product = backend.dnnl.primitive(.matmul, [3, rows, n, k, type.code], threads: 1) { engine in
            var operation = dnnl_matmul_desc_t()
            var (a, w, c) = (
                source.descriptor, OneDNN.Layout(any: [n, k], .bfloat16).descriptor, result.descriptor
            )
            guard dnnl_matmul_desc_init(&operation, &a, &w, nil, &c) == dnnl_success else { return nil }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let product else { preconditionFailure("[dense] expected a product of bfloat16 matrices, got none") }
        let layout = product.layout(dnnl_query_weights_md)
        let right = backend.packedTranspose(weight, as: layout)
        profiler.measure(.product) {
            backend.dnnl.execute(
                product,
                [
                    OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: source, pointer: left),
                    OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: layout, pointer: right.pointer),
                    OneDNN.Argument(role: DNNL_ARG_DST_0, layout: result, pointer: out),
                ], threads: 1)
        }
    }
}
