internal import CKernels

/// How a ``CPUBackend`` multiplies float32 matrices.
///
/// A processor with matrix tiles (Intel AMX) multiplies bfloat16 matrices 7 times faster than float32 ones (measured 1500
/// against 230 GFLOP/s a core). A float32 number is the exact sum of three bfloat16 numbers h + m + l of 8 bits each, so that
/// a·b = hh + hm + mh + hl + mm + lh + terms below 2⁻²⁴ of it: six bfloat16 products with float32 sums are as exact as
/// one float32 product. They run as one product whose inner dimension is six times as long.
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
    public static var hasTiles: Bool { kernels_has_bfloat16_tiles() != 0 }

    /// Which part of a matrix stands at each slot of the longer inner dimension.
    func slots(_ side: SplitSide) -> [Int32] {
        switch (self, side) {
        case (.automatic, _), (.native, _): [0]
        case (.parts, .left): [0, 0, 1, 0, 1, 2]
        case (.parts, .right): [0, 1, 0, 2, 1, 0]
        case (.twoParts, .left): [0, 0, 1]
        case (.twoParts, .right): [0, 1, 0]
        }
    }

    /// How many times longer the inner dimension becomes; 1 where matrices are multiplied as they are.
    var slotCount: Int { slots(.left).count }

    /// Parts of an element.
    var partCount: Int { self == .parts ? 3 : 2 }
}

/// Which factor of a product is split.
enum SplitSide {
    case left, right
}

/// How the slots of a split matrix lie: side by side in each row, or one below the other.
enum SplitArrangement {
    case columns, rows
}

extension CPUBackend {
    /// The way to multiply a (rows, inner) by an (inner, columns) matrix: tiles need some work to pay for the splitting.
    func products(_ type: DType, rows: Int, inner: Int, columns: Int) -> Float32Products {
        guard type == .float32 else { return .native }
        switch float32Products {
        case .automatic:
            return Float32Products.hasTiles && rows >= 32 && inner >= 16 && columns >= 64 ? .parts : .native
        case .native, .parts, .twoParts: return float32Products
        }
    }

    /// A float32 matrix as bfloat16 parts, slot after slot along the inner dimension of the product.
    func split(
        _ matrix: CPUStorage, rows: Int, columns: Int, for products: Float32Products, _ side: SplitSide,
        _ arrangement: SplitArrangement
    ) -> CPUStorage {
        let slots = products.slots(side)
        let storage = CPUStorage(byteCount: 2 * slots.count * rows * columns, allocator: allocator, backend: self)
        let (slotStride, rowStride) =
            arrangement == .columns ? (columns, slots.count * columns) : (rows * columns, columns)
        let source = matrix.pointer.assumingMemoryBound(to: Float.self)
        let target = storage.pointer.assumingMemoryBound(to: UInt16.self)
        profiler.measure(.copy) {
            split(rows, columns: columns) { range in
                kernels_split_bfloat16(
                    source + range.lowerBound * columns, range.count, columns, Int32(products.partCount), slots,
                    Int32(slots.count), target + range.lowerBound * rowStride, slotStride, rowStride)
            }
        }
        return storage
    }
}
