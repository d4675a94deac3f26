internal import CDNNL
internal import CKernels

/// How a ``CPUBackend`` multiplies float32 matrices.
///
/// A processor with matrix tiles (Intel AMX) multiplies bfloat16 matrices 10 to 15 times faster than float32 ones. A float32
/// number is the exact sum of three bfloat16 numbers h + m + l of 8 bits each, so that
/// a·b = hh + hm + mh + hl + mm + lh + terms below 2⁻²⁴ of it: six bfloat16 products with float32 sums are as exact as
/// one float32 product, and faster here. They run as one product whose inner dimension is six times as long.
public enum Float32Products: String, Sendable, CaseIterable {
    /// `parts` where the processor has matrix tiles and the matrices are large enough, `native` elsewhere.
    case automatic
    /// Float32 multiplications.
    case native
    /// Six bfloat16 products: float32 accuracy.
    case parts
    /// Three bfloat16 products (hh + hm + mh): 16 bits of accuracy, between bfloat16's 8 and float32's 24.
    case twoParts

    /// Whether this processor has matrix tiles.
    public static var hasTiles: Bool { kernels_has_bfloat16_tiles() != 0 }

    /// Which parts meet which: of the left matrix and of the right matrix, slot by slot.
    var slots: (left: [Int32], right: [Int32], parts: Int32) {
        switch self {
        case .automatic, .native: ([], [], 0)
        case .parts: ([0, 0, 1, 0, 1, 2], [0, 1, 0, 2, 1, 0], 3)
        case .twoParts: ([0, 0, 1], [0, 1, 0], 2)
        }
    }
}

extension CPUBackend {
    /// The way to multiply a (rows, k) by a (k, n) matrix: tiles need some work to pay for the splitting.
    func float32Products(rows: Int, inner: Int, columns: Int) -> Float32Products {
        switch float32Products {
        case .automatic:
            Float32Products.hasTiles && rows >= 32 && inner >= 16 && columns >= 64 ? .parts : .native
        case .native: .native
        case .parts, .twoParts: float32Products
        }
    }

    /// One matrix as bfloat16 parts, slot after slot along the inner dimension of the product.
    private func split(
        _ values: UnsafeMutableRawPointer, rows: Int, columns: Int, parts: Int32, slots: [Int32], slotStride: Int,
        rowStride: Int
    ) -> CPUStorage {
        let storage = CPUStorage(byteCount: rows * columns * slots.count * 2, allocator: allocator, backend: self)
        profiler.measure(.copy) {
            kernels_split_bfloat16(
                values.assumingMemoryBound(to: Float.self), rows, columns, parts, slots, Int32(slots.count),
                storage.pointer.assumingMemoryBound(to: UInt16.self), slotStride, rowStride)
        }
        return storage
    }

    /// ``linear(_:weight:bias:activation:residual:into:)`` of float32 tensors through parts.
    ///
    /// - Returns: false where oneDNN has no such product here.
    func splitLinear(
        _ x: Tensor, weight: Tensor, bias: Tensor?, activation: Activation, residual: Tensor?, into out: Tensor,
        as products: Float32Products
    ) -> Bool {
        let (n, k) = (weight.shape[0], weight.shape[1])
        let rows = x.count / k
        let (left, right, parts) = products.slots
        let inner = k * left.count
        let source = OneDNN.Layout([rows, inner], .bfloat16)
        let result = OneDNN.Layout([rows, n], .float32)
        let biasLayout = OneDNN.Layout([1, n], .float32)
        let product = dnnl.primitive(
            .matmul, [2, rows, inner, n, bias == nil ? 0 : 1, residual == nil ? 0 : 1, activation.rawValue]
        ) { engine in
            var operation = dnnl_matmul_desc_t()
            var (a, w, c) = (source.descriptor, OneDNN.Layout(any: [inner, n], .bfloat16).descriptor, result.descriptor)
            var b = bias == nil ? dnnl_memory_desc_t() : biasLayout.descriptor
            guard dnnl_matmul_desc_init(&operation, &a, &w, &b, &c) == dnnl_success else { return nil }
            var steps: [OneDNN.PostOperation] = []
            if activation == .gelu { steps.append(.gelu) }
            if activation == .relu { steps.append(.relu) }
            if residual != nil { steps.append(.add(result)) }
            return OneDNN.descriptor(&operation, OneDNN.attributes(steps), engine)
        }
        guard let product else { return false }

        let packedLayout = product.layout(dnnl_query_weights_md)
        let weightStorage = host(weight.storage)
        let packed: CPUStorage
        if let known = weightStorage.packed(as: packedLayout) {
            packed = known
        } else {
            let rowMajor = split(
                weightStorage.pointer, rows: n, columns: k, parts: parts, slots: right, slotStride: k, rowStride: inner)
            packed = CPUStorage(byteCount: packedLayout.byteCount, allocator: allocator, backend: self)
            let plain = OneDNN.Layout([inner, n], .bfloat16, strides: [1, inner])
            profiler.measure(.copy) { dnnl.reorder(rowMajor.pointer, plain, into: packed.pointer, packedLayout) }
            weightStorage.keep(packed, as: packedLayout)
        }
        let sourceParts = split(
            raw(x), rows: rows, columns: k, parts: parts, slots: left, slotStride: k, rowStride: inner)
        var arguments = [
            OneDNN.Argument(role: DNNL_ARG_SRC_0, layout: source, pointer: sourceParts.pointer),
            OneDNN.Argument(role: DNNL_ARG_WEIGHTS_0, layout: packedLayout, pointer: packed.pointer),
            OneDNN.Argument(role: DNNL_ARG_DST_0, layout: result, pointer: raw(out)),
        ]
        if let bias {
            arguments.append(OneDNN.Argument(role: DNNL_ARG_BIAS, layout: biasLayout, pointer: raw(bias)))
        }
        if let residual {
            let index: Int32 = activation == .none ? 0 : 1
            arguments.append(
                OneDNN.Argument(
                    role: DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE * (index + 1) | DNNL_ARG_SRC_1, layout: result,
                    pointer: raw(residual)))
        }
        profiler.measure(.product) { dnnl.execute(product, arguments) }
        return true
    }
}
