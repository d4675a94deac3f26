internal import CKernels
internal import Kernels

/// How a ``CPUBackend`` multiplies float32 matrices.
///
/// A processor with matrix tiles (Intel AMX) multiplies bfloat16 matrices 7 to 14 times faster than float32 ones. A float32
/// number is the exact sum of three bfloat16 numbers h + m + l of 8 bits each, so that
/// a·b = hh + hm + mh + hl + mm + lh + terms below 2⁻²⁴ of it: six bfloat16 products with float32 sums are as exact as
/// one float32 product. Measured on one core for the layers of a ViT-small, GFLOP/s: native 230, parts 340 to 380,
/// twoParts 530 to 600.
public enum Float32Products: String, Sendable, CaseIterable, Codable {
    /// `parts` where the processor has matrix tiles and the matrices are large enough, `native` elsewhere.
    case automatic
    /// Float32 multiplications.
    case native
    /// Six bfloat16 products: float32 accuracy.
    case parts
    /// Three bfloat16 products (hh + hm + mh): 16 bits of accuracy, between bfloat16's 8 and float32's 24. PyTorch calls
    /// this precision `set_float32_matmul_precision("high")`.
    case twoParts

    /// Whether this processor has matrix tiles.
    public static let hasTiles = kernels_has_bfloat16_tiles() != 0

    /// Parts of an element.
    var partCount: Int32 { self == .twoParts ? 2 : 3 }
}

/// A float32 matrix in place, or its transpose: one of the strides is 1.
struct StridedMatrix {
    var pointer: UnsafePointer<Float>
    var rows: Int
    var columns: Int
    var rowStride: Int
    var columnStride: Int

    /// Row-major, or the transpose of a row-major (columns, rows).
    init(_ pointer: UnsafePointer<Float>, rows: Int, columns: Int, transposed: Bool) {
        self.pointer = pointer
        self.rows = rows
        self.columns = columns
        (rowStride, columnStride) = transposed ? (1, rows) : (columns, 1)
    }
}

extension CPUBackend {
    /// The way to multiply a (rows, inner) by an (inner, columns) matrix: tiles need some work to pay for the packing.
    func products(_ type: DType, rows: Int, inner: Int, columns: Int) -> Float32Products {
        guard type == .float32, Float32Products.hasTiles else { return .native }
        guard float32Products == .automatic else { return float32Products }
        return rows >= 32 && inner >= 16 && columns >= 32 ? .parts : .native
    }

    /// A right factor in parts, in the order in which the tile product reads them.
    func packed(_ right: StridedMatrix, for products: Float32Products) -> CPUStorage {
        let count = kernels_tile_packed_count(right.rows, right.columns, products.partCount)
        let storage = CPUStorage(byteCount: count * 2, allocator: allocator, backend: self)
        profiler.measure(.copy) {
            kernels_tile_pack(
                right.pointer, right.rows, right.columns, right.rowStride, right.columnStride, products.partCount,
                storage.pointer.assumingMemoryBound(to: UInt16.self))
        }
        return storage
    }

    /// `out = activation(left · right + bias) + residual` through parts.
    ///
    /// The activation runs on each panel of rows while the panel is in the cache.
    func tileProduct(
        _ left: StridedMatrix, _ right: CPUStorage, columns: Int, _ products: Float32Products,
        bias: UnsafePointer<Float>? = nil, activation: Activation = .none, residual: UnsafePointer<Float>? = nil,
        into out: UnsafeMutablePointer<Float>
    ) {
        let panel = 128
        let parts = products.partCount
        let packed = UnsafePointer(right.pointer.assumingMemoryBound(to: UInt16.self))
        profiler.measure(.product) {
            split((left.rows + panel - 1) / panel, columns: panel * columns) { panels in
                let scratch = CPUStorage(
                    byteCount: 2 * kernels_tile_scratch_count(panel, left.columns, parts), allocator: allocator,
                    backend: self)
                for index in panels {
                    let first = index * panel
                    let rows = min(panel, left.rows - first)
                    let target = out + first * columns
                    let rest = residual.map { $0 + first * columns }
                    kernels_tile_product(
                        left.pointer + first * left.rowStride, rows, left.columns, left.rowStride, left.columnStride,
                        packed, columns, parts, bias, activation == .none ? rest : nil, target, columns,
                        scratch.pointer.assumingMemoryBound(to: UInt16.self))
                    finish(activation, residual: rest, count: rows * columns, target)
                }
            }
        }
        withExtendedLifetime(right) {}
    }

    private func finish(
        _ activation: Activation, residual: UnsafePointer<Float>?, count: Int, _ out: UnsafeMutablePointer<Float>
    ) {
        guard activation != .none else { return }
        kernels.unary(activation == .gelu ? .gelu : .relu, out, into: out, type: .float32, count: count)
        if let residual { kernels.accumulate(residual, scale: 1, into: out, type: .float32, count: count) }
    }
}
