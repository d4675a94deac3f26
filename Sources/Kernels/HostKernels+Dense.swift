internal import CKernels

/// An activation of a dense layer.
public enum ActivationKernel: Int, Sendable, CaseIterable {
    case none
    /// x Φ(x) with the normal distribution function: to 1e-6, or 4e-5 where the result is bfloat16 or 8-bit.
    case gelu
    case relu

    var kernel: kernel_activation { kernel_activation(rawValue: UInt32(rawValue)) }
}

/// What is done to the product of a dense layer before it is stored, in one pass.
///
/// `residual + factor[j] · activation(product[i, j] · rowScale[i] · columnScale[j] + rowOffset[i] · columnSum[j] + bias[j])`,
/// with product (rows, columns). What is nil does nothing.
public struct DenseEpilogue {
    /// A product of either kind, (rows, columns).
    public enum Product {
        case float32(UnsafePointer<Float>)
        case int32(UnsafePointer<Int32>)
    }

    public var product: Product
    /// (rows): the scales of the quantised rows of the left factor.
    public var rowScale: UnsafePointer<Float>?
    /// (columns): the scales of the quantised columns of the right factor.
    public var columnScale: UnsafePointer<Float>?
    /// (rows) what was subtracted from the rows of the left factor before they were quantised, and (columns) the sums of the
    /// right factor's columns.
    public var offset: (row: UnsafePointer<Float>, columnSum: UnsafePointer<Float>)?
    /// (columns)
    public var bias: UnsafePointer<Float>?
    public var activation = ActivationKernel.none
    /// (columns)
    public var factor: UnsafePointer<Float>?
    /// (rows, columns)
    public var residual: (pointer: UnsafeRawPointer, type: ElementType)?

    public init(_ product: Product) { self.product = product }

    var kernel: kernel_epilogue {
        var epilogue = kernel_epilogue()
        switch product {
        case .float32(let pointer): epilogue.product = UnsafeRawPointer(pointer)
        case .int32(let pointer):
            epilogue.product = UnsafeRawPointer(pointer)
            epilogue.integer = true
        }
        epilogue.row_scale = rowScale
        epilogue.column_scale = columnScale
        epilogue.row_offset = offset?.row
        epilogue.column_sum = offset?.columnSum
        epilogue.bias = bias
        epilogue.activation = activation.kernel
        epilogue.factor = factor
        epilogue.residual = residual?.pointer
        epilogue.residual_type = (residual?.type ?? .float32).kernelType
        return epilogue
    }
}

extension HostKernels {
    /// `y[i, j] = round(x[i, j] / scale[i])` with `scale[i] = max |x[i, :]| / 127`: each row (a token, or the weights of
    /// an output) as 8-bit integers, symmetric around 0.
    ///
    /// A row without a number above 1e-30 becomes zeros, as does one with NaN or ∞, whose scale is NaN or ∞: it is NaN when it
    /// is scaled back.
    public func quantizeRows(
        _ x: UnsafeRawPointer, type: ElementType, into y: UnsafeMutablePointer<Int8>,
        scale: UnsafeMutablePointer<Float>, rows: Int, columns: Int
    ) {
        table.pointee.quantize_rows(x, type.kernelType, y, scale, Int64(rows), Int64(columns))
    }

    /// Stores the result of an epilogue (rows, columns); `y` may be the product, or the residual if it has its type.
    public func finish(
        _ epilogue: DenseEpilogue, into y: UnsafeMutableRawPointer, type: ElementType, rows: Int, columns: Int
    ) {
        var kernel = epilogue.kernel
        table.pointee.epilogue(&kernel, y, type.kernelType, Int64(rows), Int64(columns))
    }

    /// Stores the result of an epilogue as 8-bit integers, `y[i, j] = round((result[i, j] − offset[i]) / scale[i])`.
    ///
    /// Without an activation the offset is 0, as in ``quantizeRows(_:type:into:scale:rows:columns:)``. Behind one, whose
    /// results are above a known bound, it is the middle between bound and maximum, and the steps are half as large.
    /// - Parameters:
    ///   - values: scratch of `columns` numbers.
    ///   - scale, offset: (rows); may be the epilogue's own.
    public func finish(
        _ epilogue: DenseEpilogue, values: UnsafeMutablePointer<Float>, quantizedInto y: UnsafeMutablePointer<Int8>,
        scale: UnsafeMutablePointer<Float>, offset: UnsafeMutablePointer<Float>, rows: Int, columns: Int
    ) {
        var kernel = epilogue.kernel
        table.pointee.epilogue_quantized(&kernel, values, y, scale, offset, Int64(rows), Int64(columns))
    }
}
