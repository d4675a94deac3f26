internal import CDNNL

extension CPUBackend {
    // MARK: - Dense layers

    public func linear(
        _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, residual: Tensor?, into out: Tensor
    ) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        guard out.count > 0, k > 0 else { return }
        let rows = x.count / k
        if ([x, weight, out] + [bias, residual].compactMap { $0 }).allSatisfy({ $0.dtype == .float32 }) {
            let products = float32Products(rows: rows, inner: k, columns: n)
            if products != .native,
                splitLinear(
                    x, weight: weight, bias: bias, activation: activation, residual: residual, into: out, as: products)
            {
                return
            }
        }
        let source = OneDNN.Layout([rows, k], x.dtype)
        let result = OneDNN.Layout([rows, n], out.dtype)
        let biasLayout = bias.map { OneDNN.Layout([1, n], $0.dtype) }
        let residualLayout = residual.map { OneDNN.Layout([rows, n], $0.dtype) }
        let product = dnnl.primitive(
            .matmul,
            [
                1, rows, k, n, x.dtype.code, out.dtype.code, bias?.dtype.code ?? -1, residual?.dtype.code ?? -1,
                activation.rawValue,
            ]
        ) { engine in
            var operation = dnnl_matmul_desc_t()
            var (a, w, c) = (source.descriptor, OneDNN.Layout(any: [k, n], weight.dtype).descriptor, result.descriptor)
            var b = biasLayout?.descriptor ?? dnnl_memory_desc_t()
            guard dnnl_matmul_desc_init(&operation, &a, &w, &b, &c) == dnnl_success else { return nil }
            var steps: [OneDNN.PostOperation] = []
            if activation == .gelu { steps.append(.gelu) }
            if activation == .relu { steps.append(.relu) }
            if let residualLayout { steps.append(.add(residualLayout)) }
            return OneDNN.descriptor(&operation, OneDNN.attributes(steps), engine)
        }
        guard let product else {
            throughFloat32([x, weight] + [bias, residual].compactMap { $0 }, into: out) { wide, result in
                linear(
                    wide[0], weight: wide[1], bias: bias == nil ? nil : wide[2], activation: activation,
                    residual: residual == nil ? nil : wide[wide.count - 1], into: result)
            }
            return
        }
        let packed = packed(weight, as: product.layout(dnnl_query_weights_md), transposedFrom: [k, n])
        var arguments = [
            OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: source, pointer: raw(x)),
            OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: packed.layout, pointer: packed.storage.pointer),
            OneDNN.Argument(role: DNNL_ARG_DST_0, layout: result, pointer: raw(out)),
        ]
        if let bias, let biasLayout {
            arguments.append(OneDNN.Argument(role: DNNL_ARG_BIAS, layout: biasLayout, pointer: raw(bias)))
        }
        if let residual, let residualLayout {
            let index: Int32 = activation == .none ? 0 : 1
            arguments.append(
                OneDNN.Argument(
                    role: DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE * (index + 1) | DNNL_ARG_SRC_1, layout: residualLayout,
                    pointer: raw(residual)))
        }
        profiler.measure(.product) { dnnl.execute(product, arguments) }
    }

    /// The weight (N, K) as the (K, N) layout a product asked for; reordered copies are kept with the weight.
    private func packed(
        _ weight: Tensor, as layout: OneDNN.Layout, transposedFrom shape: [Int]
    ) -> CPUStorage.PackedLayout {
        let storage = host(weight.storage)
        let plain = OneDNN.Layout(shape, weight.dtype, strides: [1, shape[0]])
        if plain == layout { return CPUStorage.PackedLayout(layout: plain, storage: storage) }
        if let known = storage.packed(as: layout) { return CPUStorage.PackedLayout(layout: layout, storage: known) }
        let copy = CPUStorage(byteCount: layout.byteCount, allocator: allocator, backend: self)
        profiler.measure(.copy) { dnnl.reorder(storage.pointer, plain, into: copy.pointer, layout) }
        storage.keep(copy, as: layout)
        return CPUStorage.PackedLayout(layout: layout, storage: copy)
    }

    public func linearWeightGradient(_ x: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor?) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        guard x.count > 0, n > 0 else {
            fill(weight, with: 0)
            if let bias { fill(bias, with: 0) }
            return
        }
        let rows = x.count / k
        let source = OneDNN.Layout([rows, k], x.dtype)
        let result = OneDNN.Layout([rows, n], gradient.dtype)
        let weightLayout = OneDNN.Layout([n, k], .float32)
        let biasLayout = OneDNN.Layout([n], .float32)
        let product = dnnl.primitive(
            .innerProductWeights, [rows, k, n, x.dtype.code, gradient.dtype.code, bias == nil ? 0 : 1]
        ) { engine in
            var operation = dnnl_inner_product_desc_t()
            var (a, w, c) = (source.descriptor, weightLayout.descriptor, result.descriptor)
            var b = bias == nil ? dnnl_memory_desc_t() : biasLayout.descriptor
            guard dnnl_inner_product_backward_weights_desc_init(&operation, &a, &w, &b, &c) == dnnl_success else {
                return nil
            }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let product else {
            linearWeightGradient(
                x.cast(to: .float32), gradient: gradient.cast(to: .float32), weight: weight, bias: bias)
            return
        }
        var arguments = [
            OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: source, pointer: raw(x)),
            OneDNN.Argument(role: DNNL_ARG_DIFF_DST_0, layout: result, pointer: raw(gradient)),
            OneDNN.Argument(role: DNNL_ARG_DIFF_WEIGHTS_0, layout: weightLayout, pointer: raw(weight)),
        ]
        if let bias {
            arguments.append(OneDNN.Argument(role: DNNL_ARG_DIFF_BIAS, layout: biasLayout, pointer: raw(bias)))
        }
        profiler.measure(.product) { dnnl.execute(product, arguments) }
    }

    // MARK: - Matrix products

    public func matmul(_ a: Tensor, transposingA: Bool, _ b: Tensor, transposingB: Bool, into out: Tensor) {
        let (m, n) = (out.shape[out.rank - 2], out.shape[out.rank - 1])
        let k = transposingA ? a.shape[a.rank - 2] : a.shape[a.rank - 1]
        guard out.count > 0 else { return }
        guard k > 0 else {
            fill(out, with: 0)
            return
        }
        let batch = out.count / (m * n)
        // One matrix goes as a plain product: oneDNN's fastest code wants two axes.
        func layout(_ rows: Int, _ columns: Int, transposed: Bool, _ type: DType) -> OneDNN.Layout {
            let strides = transposed ? [1, rows] : [columns, 1]
            return batch == 1
                ? OneDNN.Layout([rows, columns], type, strides: strides)
                : OneDNN.Layout([batch, rows, columns], type, strides: [rows * columns] + strides)
        }
        let left = layout(m, k, transposed: transposingA, a.dtype)
        let right = layout(k, n, transposed: transposingB, b.dtype)
        let result = layout(m, n, transposed: false, out.dtype)
        let product = dnnl.primitive(
            .matmul, [0, batch, m, k, n, transposingA ? 1 : 0, transposingB ? 1 : 0, a.dtype.code, out.dtype.code]
        ) { engine in
            var operation = dnnl_matmul_desc_t()
            var (x, y, z) = (left.descriptor, right.descriptor, result.descriptor)
            guard dnnl_matmul_desc_init(&operation, &x, &y, nil, &z) == dnnl_success else { return nil }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let product else {
            throughFloat32([a, b], into: out) { wide, result in
                matmul(wide[0], transposingA: transposingA, wide[1], transposingB: transposingB, into: result)
            }
            return
        }
        profiler.measure(.product) {
            dnnl.execute(
                product,
                [
                    OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: left, pointer: raw(a)),
                    OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: right, pointer: raw(b)),
                    OneDNN.Argument(role: DNNL_ARG_DST_0, layout: result, pointer: raw(out)),
                ])
        }
    }
}

extension DType {
    /// A number for keys of caches.
    var code: Int {
        switch self {
        case .float32: 0
        case .bfloat16: 1
        case .int32: 2
        }
    }
}
