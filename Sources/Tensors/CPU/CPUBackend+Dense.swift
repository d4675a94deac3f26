internal import CDNNL
internal import Kernels

extension CPUBackend {
    public func dense(
        _ layers: [DenseLayer], _ x: Tensor, residual: Tensor?, precision: Precision, into out: Tensor
    ) {
        guard out.count > 0 else { return }
        let rows = out.count / out.shape[out.rank - 1]
        let chain = DenseChain(self, layers, available(precision, for: layers[0]))
        let blocks = (rows + chain.block - 1) / chain.block
        split(blocks, columns: chain.block * chain.widest) { range in
            let scratch = DenseChain.Scratch(chain, self)
            for index in range {
                chain.run(
                    (index * chain.block)..<min((index + 1) * chain.block, rows), x, residual: residual, into: out,
                    scratch)
            }
        }
    }

    /// Whether dense layers run on 8-bit integers where ``Precision/int8`` is asked for: AVX-512 VNNI or AMX.
    public static var hasInt8Products: Bool { OneDNN.hasInt8Products }

    /// The precision that this processor has instructions for: 8-bit products give way to bfloat16, those to float32.
    private func available(_ precision: Precision, for layer: DenseLayer) -> Precision {
        if precision == .int8 && OneDNN.hasInt8Products { return .int8 }
        if precision == .float32 { return .float32 }
        return denseProduct(.bfloat16, rows: 1, layer.weight.shape, bias: false) == nil ? .float32 : .bfloat16
    }

    /// A product of (rows, K) by the transpose of a weight (N, K) in a precision, on one thread: float32 sums, or int32 ones
    /// of 8-bit operands. With a bias the sums are stored in the type of the operands.
    func denseProduct(
        _ precision: Precision, rows: Int, _ weight: [Int], bias: Bool
    ) -> OneDNN.Primitive? {
        let (n, k) = (weight[0], weight[1])
        let operand =
            switch precision {
            case .float32: dnnl_f32
            case .bfloat16: dnnl_bf16
            case .int8: dnnl_s8
            }
        let sums = precision == .int8 ? dnnl_s32 : (bias ? operand : dnnl_f32)
        return dnnl.primitive(
            .matmul, [2, rows, k, n, Int(operand.rawValue), Int(sums.rawValue), bias ? 1 : 0], threads: 1
        ) { engine in
            var operation = dnnl_matmul_desc_t()
            var a = OneDNN.Layout([rows, k], operand).descriptor
            var w = OneDNN.Layout(any: [k, n], operand).descriptor
            var c = OneDNN.Layout([rows, n], sums).descriptor
            var b = bias ? OneDNN.Layout([1, n], dnnl_f32).descriptor : dnnl_memory_desc_t()
            guard dnnl_matmul_desc_init(&operation, &a, &w, &b, &c) == dnnl_success else { return nil }
            return OneDNN.descriptor(&operation, OneDNN.attributes(), engine)
        }
    }

    /// The weight (N, K) with 8-bit rows in the (K, N) layout that a product asked for, the scales of the rows, and
    /// the sums of the rows.
    fileprivate func quantized(
        _ weight: Tensor, as layout: OneDNN.Layout
    ) -> (storage: CPUStorage, scalesAndSums: CPUStorage) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        let storage = host(weight.storage)
        let (form, scaleForm) = (CPUStorage.PackedForm.quantized(layout), CPUStorage.PackedForm.scalesAndSums(rows: n))
        if let known = storage.packed(as: form), let scales = storage.packed(as: scaleForm) { return (known, scales) }
        let plain = CPUStorage(byteCount: n * k, allocator: allocator, backend: self)
        let scales = CPUStorage(byteCount: 2 * n * 4, allocator: allocator, backend: self)
        let copy = CPUStorage(byteCount: layout.byteCount, allocator: allocator, backend: self)
        let integers = plain.pointer.assumingMemoryBound(to: Int8.self)
        let numbers = scales.pointer.assumingMemoryBound(to: Float.self)
        profiler.measure(.copy) {
            kernels.quantizeRows(
                storage.pointer, type: weight.dtype.element, into: integers, scale: numbers, rows: n, columns: k)
            for row in 0..<n {
                let sum = (0..<k).reduce(0) { $0 + Int(integers[row * k + $1]) }
                numbers[n + row] = numbers[row] * Float(sum)
            }
            dnnl.reorder(plain.pointer, OneDNN.Layout([k, n], dnnl_s8, strides: [1, k]), into: copy.pointer, layout)
        }
        let keptScales = storage.keep(scales, as: scaleForm)
        return (storage.keep(copy, as: form), keptScales)
    }
}

/// Dense layers that run one after the other on a block of rows.
///
/// The block is small enough that operands and sums stay in the second-level cache, from the norm to the residual; the
/// weights stream by from the third level. oneDNN reaches its full rate from 64 rows on (measured on a Zen 4 core, GFLOP/s
/// for 64 and for 1576 rows of a ViT-small's layers: bfloat16 228 to 231 and 227 to 233, int8 441 to 456 and 411 to 456).
/// Sums of 96 KiB to 1.5 MiB give the same rate there within 3 %.
private struct DenseChain {
    let backend: CPUBackend
    let layers: [DenseLayer]
    let precision: Precision
    /// Rows of a block.
    let block: Int
    /// The largest number of columns of a product.
    let widest: Int

    init(_ backend: CPUBackend, _ layers: [DenseLayer], _ precision: Precision) {
        self.backend = backend
        self.layers = layers
        self.precision = precision
        widest = layers.map { $0.weight.shape[0] }.max()!
        block = min(256, max(32, (384 * 1024 / 4 / widest) & ~15))
    }

    /// What lies between the layers of one block; belongs to one thread.
    final class Scratch {
        /// (block, widest) sums.
        let sums: CPUStorage
        /// (block, K) left factors.
        let operand: CPUStorage
        /// (2, block) scales and offsets of the rows of 8-bit operands.
        let scales: CPUStorage
        /// Some rows of float32 numbers, in the first-level cache.
        let values: CPUStorage
        /// Rows that `values` holds.
        let valueRows: Int

        init(_ chain: DenseChain, _ backend: CPUBackend) {
            let inner = chain.layers.map { $0.weight.shape[1] }.max()!
            func storage(_ count: Int) -> CPUStorage {
                CPUStorage(byteCount: count * 4, allocator: backend.allocator, backend: backend)
            }
            let width = max(inner, chain.widest)
            sums = storage(chain.block * chain.widest)
            operand = storage(chain.block * inner)
            scales = storage(2 * chain.block)
            valueRows = max(1, 4096 / width)
            values = storage(valueRows * width)
        }

        /// (block) scales; the offsets follow.
        var rowScales: UnsafeMutablePointer<Float> { scales.floats }
    }

    /// A matrix in memory; quantised, it has the scales and offsets of the scratch.
    private enum Operand {
        case values(UnsafeRawPointer, DType)
        case quantized(UnsafeRawPointer)
    }

    /// Runs all layers on some rows.
    func run(_ rows: Range<Int>, _ x: Tensor, residual: Tensor?, into out: Tensor, _ scratch: Scratch) {
        func pointer(_ tensor: Tensor) -> UnsafeMutableRawPointer {
            backend.raw(tensor) + rows.lowerBound * tensor.shape[tensor.rank - 1] * tensor.dtype.byteCount
        }
        var input = Operand.values(pointer(x), x.dtype)
        for (index, layer) in layers.enumerated() {
            let last = index == layers.count - 1
            let left = operand(input, layer, rows: rows.count, scratch)
            if last, layer.activation == .none, layer.factor == nil, residual == nil, let bias = layer.bias,
                storesDirectly(out.dtype)
            {
                multiply(left, layer, bias: bias, rows: rows.count, into: pointer(out))
                return
            }
            var hasOffsets = false
            if case .quantized = input { hasOffsets = true }
            let scales = multiply(left, layer, bias: nil, rows: rows.count, into: scratch.sums.pointer)
            let columns = layer.weight.shape[0]
            let product = scratch.sums.pointer
            var epilogue = DenseEpilogue(
                precision == .int8
                    ? .int32(product.assumingMemoryBound(to: Int32.self)) : .float32(scratch.sums.floats))
            if let scales {
                let (rowNumbers, columnNumbers) = (UnsafePointer(scratch.rowScales), UnsafePointer(scales.floats))
                (epilogue.rowScale, epilogue.columnScale) = (rowNumbers, columnNumbers)
                if hasOffsets { epilogue.offset = (rowNumbers + block, columnNumbers + columns) }
            }
            epilogue.bias = layer.bias.map { UnsafePointer(backend.floats($0)) }
            epilogue.activation = ActivationKernel(rawValue: layer.activation.rawValue)!
            epilogue.factor = layer.factor.map { UnsafePointer(backend.floats($0)) }
            if last, let residual { epilogue.residual = (UnsafeRawPointer(pointer(residual)), residual.dtype.element) }
            backend.profiler.measure(.elementwise, sharedBy: backend.threads) {
                if last {
                    backend.kernels.finish(
                        epilogue, into: pointer(out), type: out.dtype.element, rows: rows.count, columns: columns)
                } else {
                    input = finish(epilogue, before: layers[index + 1], rows: rows.count, columns: columns, scratch)
                }
            }
            withExtendedLifetime(scales) {}
        }
    }

    /// Stores a result as what the next layer begins with.
    private func finish(
        _ epilogue: DenseEpilogue, before next: DenseLayer, rows: Int, columns: Int, _ scratch: Scratch
    ) -> Operand {
        let type: DType = next.norm != nil || precision == .float32 ? .float32 : .bfloat16
        if next.norm == nil && precision == .int8 {
            backend.kernels.finish(
                epilogue, values: scratch.values.floats,
                quantizedInto: scratch.operand.pointer.assumingMemoryBound(to: Int8.self), scale: scratch.rowScales,
                offset: scratch.rowScales + block, rows: rows, columns: columns)
            return .quantized(scratch.operand.pointer)
        }
        let target = next.norm == nil ? scratch.operand.pointer : scratch.sums.pointer
        backend.kernels.finish(epilogue, into: target, type: type.element, rows: rows, columns: columns)
        return .values(target, type)
    }

    /// The left factor of a layer's product: normalised, and in the type of the product.
    private func operand(_ input: Operand, _ layer: DenseLayer, rows: Int, _ scratch: Scratch) -> UnsafeRawPointer {
        let (values, type): (UnsafeRawPointer, DType)
        switch input {
        case .quantized(let pointer): return pointer
        case .values(let pointer, let stored): (values, type) = (pointer, stored)
        }
        if layer.norm == nil, precision != .int8, type == precision.activations { return values }
        let columns = layer.weight.shape[1]
        let kind: Profiler.Kind = layer.norm == nil ? .copy : .normalization
        backend.profiler.measure(kind, sharedBy: backend.threads) {
            guard let norm = layer.norm else {
                convert(values, type, rows: 0..<rows, columns: columns, scratch)
                return
            }
            // A few rows at a time are normalised in the first-level cache and converted from there.
            let buffer = scratch.values.pointer
            for first in stride(from: 0, to: rows, by: scratch.valueRows) {
                let part = first..<min(first + scratch.valueRows, rows)
                backend.kernels.layerNorm(
                    values + first * columns * type.byteCount, weight: backend.floats(norm.weight),
                    bias: backend.floats(norm.bias), epsilon: norm.epsilon, into: buffer, type: type.element,
                    rows: part.count, columns: columns)
                convert(buffer, type, rows: part, columns: columns, scratch)
            }
        }
        return UnsafeRawPointer(scratch.operand.pointer)
    }

    /// Puts rows into the operand, in its type.
    private func convert(
        _ values: UnsafeRawPointer, _ type: DType, rows: Range<Int>, columns: Int, _ scratch: Scratch
    ) {
        let at = rows.lowerBound * columns
        if precision == .int8 {
            backend.kernels.quantizeRows(
                values, type: type.element, into: scratch.operand.pointer.assumingMemoryBound(to: Int8.self) + at,
                scale: scratch.rowScales + rows.lowerBound, rows: rows.count, columns: columns)
        } else {
            let target = precision.activations
            backend.kernels.convert(
                values, type.element, into: scratch.operand.pointer + at * target.byteCount, target.element,
                count: rows.count * columns)
        }
    }

    /// Whether a product with a bias can be stored in the result by oneDNN.
    private func storesDirectly(_ type: DType) -> Bool {
        switch precision {
        case .int8: false
        case .bfloat16: type == .bfloat16
        case .float32: type == .float32 && !Float32Products.hasTiles
        }
    }

    /// The product of an operand and a layer's weight.
    ///
    /// - Returns: the scales and sums of the columns, for 8-bit products.
    @discardableResult
    private func multiply(
        _ left: UnsafeRawPointer, _ layer: DenseLayer, bias: Tensor?, rows: Int, into sums: UnsafeMutableRawPointer
    ) -> CPUStorage? {
        let (n, k) = (layer.weight.shape[0], layer.weight.shape[1])
        if precision == .float32 {
            let products = backend.products(.float32, rows: rows, inner: k, columns: n)
            if products != .native {
                let matrix = StridedMatrix(
                    left.assumingMemoryBound(to: Float.self), rows: rows, columns: k, transposed: false)
                backend.tileProduct(
                    matrix, backend.packed(layer.weight.cast(to: .float32), for: products), columns: n, products,
                    into: sums.assumingMemoryBound(to: Float.self))
                return nil
            }
        }
        guard let product = backend.denseProduct(precision, rows: rows, layer.weight.shape, bias: bias != nil) else {
            preconditionFailure("[dense] expected a product of \(precision) matrices, got none")
        }
        let layout = product.layout(dnnl_query_weights_md)
        var scales: CPUStorage?
        let weight: CPUStorage
        if precision == .int8 {
            let quantized = backend.quantized(layer.weight, as: layout)
            (weight, scales) = (quantized.storage, quantized.scalesAndSums)
        } else {
            weight = backend.packed(layer.weight, as: layout).storage
        }
        var arguments = [
            OneDNN.Argument(
                role: DNNL_ARG_SRC_0, layout: product.layout(dnnl_query_src_md),
                pointer: UnsafeMutableRawPointer(mutating: left)),
            OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: layout, pointer: weight.pointer),
            OneDNN.Argument(role: DNNL_ARG_DST_0, layout: product.layout(dnnl_query_dst_md), pointer: sums),
        ]
        if let bias {
            arguments.append(
                OneDNN.Argument(
                    role: DNNL_ARG_BIAS, layout: product.layout(dnnl_query_weights_md, 1), pointer: backend.raw(bias)))
        }
        backend.profiler.measure(.product, sharedBy: backend.threads) {
            backend.dnnl.execute(product, arguments, threads: 1)
        }
        return scales
    }
}

extension CPUStorage {
    /// The contents as float32.
    fileprivate var floats: UnsafeMutablePointer<Float> { pointer.assumingMemoryBound(to: Float.self) }
}
