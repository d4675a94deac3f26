internal import CDNNL

extension CPUBackend {
    /// The three products that a convolution and its adjoints are.
    private enum ConvolutionPass: Int {
        case forward, input, weight
    }

    public func convolution(
        _ x: Tensor, weight: Tensor, bias: Tensor?, geometry: ConvolutionGeometry, rectified: Bool, into out: Tensor
    ) {
        guard out.count > 0 else { return }
        run(.forward, x: x, weight: weight, bias: bias, y: out, geometry, rectified: rectified)
    }

    public func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, geometry: ConvolutionGeometry, into out: Tensor
    ) {
        guard out.count > 0 else { return }
        run(.input, x: out, weight: weight, bias: nil, y: gradient, geometry)
    }

    public func convolutionWeightGradient(
        _ x: Tensor, gradient: Tensor, geometry: ConvolutionGeometry, into weight: Tensor
    ) {
        guard weight.count > 0 else { return }
        run(.weight, x: x, weight: weight, bias: nil, y: gradient, geometry)
    }

    /// Runs one pass. oneDNN chooses the layouts (blocked by channels on AVX-512); tensors are reordered to and from
    /// them, once for as long as they do not change: an image is read in both directions, and a result is the next image.
    private func run(
        _ pass: ConvolutionPass, x: Tensor, weight: Tensor, bias: Tensor?, y: Tensor, _ geometry: ConvolutionGeometry,
        rectified: Bool = false
    ) {
        let type = x.dtype
        let numbers =
            [pass.rawValue, type.code, bias?.dtype.code ?? -1, geometry.stride, geometry.padding, rectified ? 1 : 0]
            + x.shape + weight.shape + y.shape
        let kind: OneDNN.Kind =
            pass == .forward ? .convolution : (pass == .input ? .convolutionData : .convolutionWeights)
        let biasLayout = bias.map { OneDNN.Layout([weight.shape[0]], $0.dtype) }
        let primitive = dnnl.primitive(kind, numbers) { engine in
            makeConvolution(
                pass, x: x.shape, weight: weight.shape, bias: biasLayout, y: y.shape, type, geometry, rectified, engine)
        }
        guard let primitive else {
            precondition(type == .bfloat16, "[convolution] expected a float32 convolution of oneDNN, got none")
            let out = pass == .forward ? y : (pass == .input ? x : weight)
            let inputs = [x, weight, y].filter { $0.storage !== out.storage } + [bias].compactMap { $0 }
            throughFloat32(inputs, into: out) { wide, result in
                switch pass {
                case .forward:
                    run(
                        pass, x: wide[0], weight: wide[1], bias: bias == nil ? nil : wide[2], y: result, geometry,
                        rectified: rectified)
                case .input: run(pass, x: result, weight: wide[0], bias: nil, y: wide[1], geometry)
                case .weight: run(pass, x: wide[0], weight: result, bias: nil, y: wide[1], geometry)
                }
            }
            return
        }
        let layouts: (x: OneDNN.Layout, weight: OneDNN.Layout, y: OneDNN.Layout) =
            switch pass {
            case .forward:
                (
                    primitive.layout(dnnl_query_src_md), primitive.layout(dnnl_query_weights_md),
                    primitive.layout(dnnl_query_dst_md)
                )
            case .input:
                (
                    primitive.layout(dnnl_query_diff_src_md), primitive.layout(dnnl_query_weights_md),
                    primitive.layout(dnnl_query_diff_dst_md)
                )
            case .weight:
                (
                    primitive.layout(dnnl_query_src_md), primitive.layout(dnnl_query_diff_weights_md),
                    primitive.layout(dnnl_query_diff_dst_md)
                )
            }
        let operands = (
            x: staged(x, as: layouts.x, reading: pass != .input),
            weight: staged(weight, as: layouts.weight, reading: pass != .weight),
            y: staged(y, as: layouts.y, reading: pass != .forward)
        )
        let roles: (x: Int32, weight: Int32, y: Int32) =
            switch pass {
            case .forward: (DNNL_ARG_SRC_0, DNNL_ARG_WEIGHTS_0, DNNL_ARG_DST_0)
            case .input: (DNNL_ARG_DIFF_SRC_0, DNNL_ARG_WEIGHTS_0, DNNL_ARG_DIFF_DST_0)
            case .weight: (DNNL_ARG_SRC_0, DNNL_ARG_DIFF_WEIGHTS_0, DNNL_ARG_DIFF_DST_0)
            }
        var arguments = [
            OneDNN.Argument(role: roles.x, layout: layouts.x, pointer: operands.x.pointer),
            OneDNN.Argument(role: roles.weight, layout: layouts.weight, pointer: operands.weight.pointer),
            OneDNN.Argument(role: roles.y, layout: layouts.y, pointer: operands.y.pointer),
        ]
        if let bias, let biasLayout {
            arguments.append(OneDNN.Argument(role: DNNL_ARG_BIAS, layout: biasLayout, pointer: raw(bias)))
        }
        profiler.measure(.convolution) { dnnl.execute(primitive, arguments) }
        switch pass {
        case .forward:
            unstage(operands.y, layouts.y, into: y)
            if operands.y !== y.storage { _ = host(y.storage).keep(operands.y, as: .layout(layouts.y)) }
        case .input: unstage(operands.x, layouts.x, into: x)
        case .weight: unstage(operands.weight, layouts.weight, into: weight)
        }
    }

    private func makeConvolution(
        _ pass: ConvolutionPass, x: [Int], weight: [Int], bias: OneDNN.Layout?, y: [Int], _ type: DType,
        _ geometry: ConvolutionGeometry, _ rectified: Bool, _ engine: dnnl_engine_t
    ) -> dnnl_primitive_desc_t? {
        var operation = dnnl_convolution_desc_t()
        var source = OneDNN.Layout(any: x, type).descriptor
        var weights = OneDNN.Layout(any: weight, type).descriptor
        var result = OneDNN.Layout(any: y, type).descriptor
        var biases = bias?.descriptor ?? dnnl_memory_desc_t()
        let strides = [Int64](repeating: Int64(geometry.stride), count: 2)
        let before = [Int64](repeating: Int64(geometry.padding), count: 2)
        // What the kernel and stride leave over at the far side (output padding of a transposed convolution).
        let after = (0..<2).map { axis in
            Int64((y[2 + axis] - 1) * geometry.stride + weight[2 + axis] - x[2 + axis] - geometry.padding)
        }
        let status =
            switch pass {
            case .forward:
                dnnl_convolution_forward_desc_init(
                    &operation, dnnl_forward_training, dnnl_convolution_direct, &source, &weights, &biases, &result,
                    strides, before, after)
            case .input:
                dnnl_convolution_backward_data_desc_init(
                    &operation, dnnl_convolution_direct, &source, &weights, &result, strides, before, after)
            case .weight:
                dnnl_convolution_backward_weights_desc_init(
                    &operation, dnnl_convolution_direct, &source, &weights, nil, &result, strides, before, after)
            }
        guard status == dnnl_success else { return nil }
        return OneDNN.descriptor(&operation, OneDNN.attributes(rectified ? [.relu] : []), engine)
    }

    /// The tensor's storage if it is laid out as asked, else other storage, with its values if they will be read.
    private func staged(_ tensor: Tensor, as layout: OneDNN.Layout, reading: Bool) -> CPUStorage {
        let storage = host(tensor.storage)
        let plain = OneDNN.Layout(tensor.shape, tensor.dtype)
        if plain == layout { return storage }
        if reading, let known = storage.packed(as: .layout(layout)) { return known }
        let copy = CPUStorage(byteCount: layout.byteCount, allocator: allocator, backend: self)
        guard reading else { return copy }
        profiler.measure(.copy) { dnnl.reorder(storage.pointer, plain, into: copy.pointer, layout) }
        return storage.keep(copy, as: .layout(layout))
    }

    private func unstage(_ storage: CPUStorage, _ layout: OneDNN.Layout, into tensor: Tensor) {
        guard storage !== tensor.storage else { return }
        let plain = OneDNN.Layout(tensor.shape, tensor.dtype)
        profiler.measure(.copy) { dnnl.reorder(storage.pointer, layout, into: raw(tensor), plain) }
    }
}
