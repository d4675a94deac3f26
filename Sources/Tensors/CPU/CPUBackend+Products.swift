internal import CDNNL

extension CPUBackend {
    // MARK: - Dense layers

    public func linear(
        _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, residual: Tensor?, into out: Tensor
    ) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        guard out.count > 0, k > 0 else { return }
        let rows = x.count / k
        let products = products(x.dtype, rows: rows, inner: k, columns: n)
        let split = products != .native
        // What oneDNN sees: the factors as they are, or several times as long in bfloat16.
        let (type, inner) = (split ? .bfloat16 : x.dtype, products.slotCount * k)
        let source = OneDNN.Layout([rows, inner], type)
        let result = OneDNN.Layout([rows, n], out.dtype)
        let biasLayout = bias.map { OneDNN.Layout([1, n], $0.dtype) }
        let residualLayout = residual.map { OneDNN.Layout([rows, n], $0.dtype) }
        let product = dnnl.primitive(
            .matmul,
            [
                1, rows, inner, n, type.code, out.dtype.code, bias?.dtype.code ?? -1, residual?.dtype.code ?? -1,
                activation.rawValue,
            ]
        ) { engine in
            var operation = dnnl_matmul_desc_t()
            var (a, w, c) = (source.descriptor, OneDNN.Layout(any: [inner, n], type).descriptor, result.descriptor)
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
        let left =
            split
            ? self.split(host(x.storage), rows: rows, columns: k, for: products, .left, .columns) : host(x.storage)
        let right = packed(weight, as: product.layout(dnnl_query_weights_md), products)
        var arguments = [
            OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: source, pointer: left.pointer),
            OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: right.layout, pointer: right.storage.pointer),
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
        withExtendedLifetime((left, right)) {}
    }

    /// The weight (N, K) as the (K, N) layout a product asked for; reordered copies are kept with the weight.
    private func packed(_ weight: Tensor, as layout: OneDNN.Layout, _ products: Float32Products) -> CPUStorage.PackedLayout {
        let (n, k) = (weight.shape[0], weight.shape[1])
        let storage = host(weight.storage)
        let split = products != .native
        let inner = products.slotCount * k
        let plain = OneDNN.Layout([inner, n], split ? .bfloat16 : weight.dtype, strides: [1, inner])
        if plain == layout, !split { return CPUStorage.PackedLayout(layout: plain, storage: storage) }
        if let known = storage.packed(as: layout) { return CPUStorage.PackedLayout(layout: layout, storage: known) }
        let source = split ? self.split(storage, rows: n, columns: k, for: products, .right, .columns) : storage
        let copy = CPUStorage(byteCount: layout.byteCount, allocator: allocator, backend: self)
        profiler.measure(.copy) { dnnl.reorder(source.pointer, plain, into: copy.pointer, layout) }
        storage.keep(copy, as: layout)
        return withExtendedLifetime(source) { CPUStorage.PackedLayout(layout: layout, storage: copy) }
    }

    public func linearWeightGradient(_ x: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor?) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        guard x.count > 0, n > 0 else {
            fill(weight, with: 0)
            if let bias { fill(bias, with: 0) }
            return
        }
        let rows = x.count / k
        let products = products(x.dtype, rows: n, inner: rows, columns: k)
        let split = products != .native
        let (type, inner) = (split ? .bfloat16 : x.dtype, products.slotCount * rows)
        let source = OneDNN.Layout([inner, k], type)
        let result = OneDNN.Layout([inner, n], type)
        let weightLayout = OneDNN.Layout([n, k], .float32)
        let biasLayout = OneDNN.Layout([n], .float32)
        // A split factor contains its upper parts several times, so its column sums are not the gradient of the bias.
        let withBias = bias != nil && !split
        let product = dnnl.primitive(.innerProductWeights, [inner, k, n, type.code, withBias ? 1 : 0]) { engine in
            var operation = dnnl_inner_product_desc_t()
            var (a, w, c) = (source.descriptor, weightLayout.descriptor, result.descriptor)
            var b = withBias ? biasLayout.descriptor : dnnl_memory_desc_t()
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
        var (left, right) = (host(gradient.storage), host(x.storage))
        if split {
            left = self.split(left, rows: rows, columns: n, for: products, .left, .rows)
            right = self.split(right, rows: rows, columns: k, for: products, .right, .rows)
        }
        var arguments = [
            OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: source, pointer: right.pointer),
            OneDNN.Argument(role: DNNL_ARG_DIFF_DST_0, layout: result, pointer: left.pointer),
            OneDNN.Argument(role: DNNL_ARG_DIFF_WEIGHTS_0, layout: weightLayout, pointer: raw(weight)),
        ]
        if let bias, withBias {
            arguments.append(OneDNN.Argument(role: DNNL_ARG_DIFF_BIAS, layout: biasLayout, pointer: raw(bias)))
        }
        profiler.measure(.product) { dnnl.execute(product, arguments) }
        withExtendedLifetime((left, right)) {}
        if let bias, split {
            let sum = Tensor(shape: [1, n], dtype: .float32, storage: bias.storage)
            reduce(.sum, Tensor(shape: [rows, n], dtype: .float32, storage: gradient.storage), into: sum)
        }
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
        let products = products(a.dtype, rows: m, inner: k, columns: n)
        if batch == 1, !transposingA, !transposingB, products != .native {
            let left = split(host(a.storage), rows: m, columns: k, for: products, .left, .columns)
            let right = split(host(b.storage), rows: k, columns: n, for: products, .right, .rows)
            let inner = products.slotCount * k
            multiply(
                left.pointer, OneDNN.Layout([m, inner], .bfloat16), right.pointer, OneDNN.Layout([inner, n], .bfloat16),
                into: raw(out), OneDNN.Layout([m, n], .float32), key: [2, m, inner, n])
            withExtendedLifetime((left, right)) {}
            return
        }
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
        let key = [0, batch, m, k, n, transposingA ? 1 : 0, transposingB ? 1 : 0, a.dtype.code, out.dtype.code]
        if !multiply(raw(a), left, raw(b), right, into: raw(out), result, key: key) {
            throughFloat32([a, b], into: out) { wide, result in
                matmul(wide[0], transposingA: transposingA, wide[1], transposingB: transposingB, into: result)
            }
        }
    }

    /// A product of operands in given layouts; false where this processor has no such product.
    @discardableResult
    private func multiply(
        _ a: UnsafeMutableRawPointer, _ left: OneDNN.Layout, _ b: UnsafeMutableRawPointer, _ right: OneDNN.Layout,
        into out: UnsafeMutableRawPointer, _ result: OneDNN.Layout, key: [Int]
    ) -> Bool {
        let product = dnnl.primitive(.matmul, key) { engine in
            var operation = dnnl_matmul_desc_t()
            var (x, y, z) = (left.descriptor, right.descriptor, result.descriptor)
            guard dnnl_matmul_desc_init(&operation, &x, &y, nil, &z) == dnnl_success else { return nil }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
        guard let product else { return false }
        profiler.measure(.product) {
            dnnl.execute(
                product,
                [
                    OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: left, pointer: a),
                    OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: right, pointer: b),
                    OneDNN.Argument(role: DNNL_ARG_DST_0, layout: result, pointer: out),
                ])
        }
        return true
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
