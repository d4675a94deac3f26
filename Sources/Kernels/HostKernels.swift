internal import CKernels

/// The fused loops of one instruction set, on arrays in host memory.
///
/// Every function runs on the calling thread and touches only its arguments; split large arrays with a ``WorkerPool``
/// by offsetting pointers. Arrays are dense and row-major. `type` is the storage of all arrays given as raw pointers;
/// arithmetic is float32. Results may be written over an input of an element-wise function. Vectors of parameters
/// (weights, biases, statistics and their gradients) are float32 always.
///
/// Special values follow IEEE 754: NaN in, NaN out.
///
/// `@unchecked Sendable`: the one stored property points to a constant table of functions.
public struct HostKernels: @unchecked Sendable {
    /// The instruction set in use.
    public let instructionSet: InstructionSet
    let table: UnsafePointer<kernel_table>

    /// Kernels of an instruction set that this processor has; tests name one, programs take the best.
    public init(_ instructionSet: InstructionSet = .best) {
        self.instructionSet = instructionSet
        table = instructionSet.table
    }
}

// MARK: - Element-wise

/// Functions of one variable with a vector form.
public enum UnaryKernel: Int, Sendable, CaseIterable {
    /// x Φ(x) with the normal distribution function, to 1e-6 absolute.
    case gelu
    /// x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).
    case geluTanh
    case relu, sigmoid
    /// log(1 + eˣ).
    case softplus
    case tanh, exp, log, sqrt, square, abs, reciprocal

    var kernel: kernel_unary { kernel_unary(rawValue: UInt32(rawValue)) }
}

/// Functions of two variables with a vector form.
public enum BinaryKernel: Int, Sendable, CaseIterable {
    case add, subtract, multiply, divide, maximum, minimum

    var kernel: kernel_binary { kernel_binary(rawValue: UInt32(rawValue)) }
}

/// Reductions of a row to one number.
public enum RowReduction: Int, Sendable, CaseIterable {
    case sum, maximum, absoluteMaximum, sumOfSquares

    var kernel: kernel_reduction { kernel_reduction(rawValue: UInt32(rawValue)) }
}

/// An operand of ``HostKernels/binary(_:_:_:into:type:rows:columns:)``: strides of 0 broadcast.
public struct BinaryOperand {
    public var pointer: UnsafeRawPointer
    /// Elements from a row to the next.
    public var rowStride: Int
    /// Elements from a column to the next: 0 or 1.
    public var columnStride: Int

    public init(_ pointer: UnsafeRawPointer, rowStride: Int, columnStride: Int = 1) {
        self.pointer = pointer
        self.rowStride = rowStride
        self.columnStride = columnStride
    }
}

extension HostKernels {
    /// `y = x` with conversion between storage types; float32 to bfloat16 rounds to nearest even and keeps NaN.
    public func convert(
        _ x: UnsafeRawPointer, _ xType: ElementType, into y: UnsafeMutableRawPointer, _ yType: ElementType, count: Int
    ) {
        table.pointee.convert(x, xType.kernelType, y, yType.kernelType, Int64(count))
    }

    /// `y = scale · x + offset`.
    public func affine(
        _ x: UnsafeRawPointer, scale: Float, offset: Float, into y: UnsafeMutableRawPointer, type: ElementType,
        count: Int
    ) {
        table.pointee.affine(x, scale, offset, y, type.kernelType, Int64(count))
    }

    /// `y += scale · x`; `type` is the storage of x.
    public func accumulate(
        _ x: UnsafeRawPointer, scale: Float, into y: UnsafeMutablePointer<Float>, type: ElementType, count: Int
    ) {
        table.pointee.accumulate(x, scale, y, type.kernelType, Int64(count))
    }

    /// `y = function(x)`.
    public func unary(
        _ function: UnaryKernel, _ x: UnsafeRawPointer, into y: UnsafeMutableRawPointer, type: ElementType, count: Int
    ) {
        table.pointee.unary(function.kernel, x, y, type.kernelType, Int64(count))
    }

    /// `dx = dy · function'(x)`; the derivatives of relu and abs at 0 are 0.
    public func unaryGradient(
        _ function: UnaryKernel, _ x: UnsafeRawPointer, gradient dy: UnsafeRawPointer,
        into dx: UnsafeMutableRawPointer, type: ElementType, count: Int
    ) {
        table.pointee.unary_gradient(function.kernel, x, dy, dx, type.kernelType, Int64(count))
    }

    /// `y[i, j] = a[i, j] ∘ b[i, j]`, y dense (rows, columns).
    public func binary(
        _ function: BinaryKernel, _ a: BinaryOperand, _ b: BinaryOperand, into y: UnsafeMutableRawPointer,
        type: ElementType, rows: Int, columns: Int
    ) {
        table.pointee.binary(
            function.kernel, a.pointer, Int64(a.rowStride), Int64(a.columnStride), b.pointer, Int64(b.rowStride),
            Int64(b.columnStride), y, type.kernelType, Int64(rows), Int64(columns))
    }

    /// `y = gelu(x + bias)`, x (rows, columns), bias (columns).
    public func biasGELU(
        _ x: UnsafeRawPointer, bias: UnsafePointer<Float>?, into y: UnsafeMutableRawPointer, type: ElementType,
        rows: Int, columns: Int
    ) {
        table.pointee.bias_gelu(x, bias, y, type.kernelType, Int64(rows), Int64(columns))
    }

    /// `dx = dy · gelu'(x + bias)`; the sum of dx over rows is added to `biasGradient` where given.
    public func biasGELUGradient(
        _ x: UnsafeRawPointer, bias: UnsafePointer<Float>?, gradient dy: UnsafeRawPointer,
        into dx: UnsafeMutableRawPointer, biasGradient: UnsafeMutablePointer<Float>?, type: ElementType, rows: Int,
        columns: Int
    ) {
        table.pointee.bias_gelu_gradient(x, bias, dy, dx, biasGradient, type.kernelType, Int64(rows), Int64(columns))
    }
}

// MARK: - Rows

extension HostKernels {
    /// `y[i] = reduction(x[i, :])`, x (rows, columns). The maximum of an empty row is -∞, other reductions give 0.
    public func reduceRows(
        _ reduction: RowReduction, _ x: UnsafeRawPointer, type: ElementType, rows: Int, columns: Int,
        into y: UnsafeMutablePointer<Float>
    ) {
        table.pointee.reduce_rows(reduction.kernel, x, type.kernelType, Int64(rows), Int64(columns), y)
    }

    /// `y[j] += Σᵢ x[i, j]`, x (rows, columns): the gradient of a bias.
    public func addColumns(
        _ x: UnsafeRawPointer, type: ElementType, rows: Int, columns: Int, into y: UnsafeMutablePointer<Float>
    ) {
        table.pointee.add_columns(x, type.kernelType, Int64(rows), Int64(columns), y)
    }

    /// Sum of squares, in double precision.
    public func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
        table.pointee.sum_of_squares(x, Int64(count))
    }

    /// Layer norm of each row of `s = x + residual`: `y = (s − mean) / √(variance + epsilon) · weight + bias`.
    ///
    /// - Parameters:
    ///   - residual: added to x first, where given (rows, columns).
    ///   - sum: receives s in the storage type, where given; may be `x`.
    ///   - mean, inverseDeviation: (rows), receive the statistics that
    ///     ``layerNormGradient(_:gradient:weight:mean:inverseDeviation:into:weightGradient:biasGradient:type:rows:columns:)``
    ///     reads.
    public func layerNorm(
        _ x: UnsafeRawPointer, residual: UnsafeRawPointer? = nil, weight: UnsafePointer<Float>?,
        bias: UnsafePointer<Float>?, epsilon: Float, sum: UnsafeMutableRawPointer? = nil,
        into y: UnsafeMutableRawPointer, mean: UnsafeMutablePointer<Float>? = nil,
        inverseDeviation: UnsafeMutablePointer<Float>? = nil, type: ElementType, rows: Int, columns: Int
    ) {
        table.pointee.layer_norm(
            x, residual, weight, bias, epsilon, sum, y, mean, inverseDeviation, type.kernelType, Int64(rows),
            Int64(columns))
    }

    /// Gradients of ``layerNorm(_:residual:weight:bias:epsilon:sum:into:mean:inverseDeviation:type:rows:columns:)``.
    ///
    /// `x` is the normalised input (s, where a residual was added). `weightGradient` and `biasGradient` (columns) are
    /// added to; `dx` may be `dy`.
    public func layerNormGradient(
        _ x: UnsafeRawPointer, gradient dy: UnsafeRawPointer, weight: UnsafePointer<Float>?,
        mean: UnsafePointer<Float>, inverseDeviation: UnsafePointer<Float>, into dx: UnsafeMutableRawPointer,
        weightGradient: UnsafeMutablePointer<Float>?, biasGradient: UnsafeMutablePointer<Float>?, type: ElementType,
        rows: Int, columns: Int
    ) {
        table.pointee.layer_norm_gradient(
            x, dy, weight, mean, inverseDeviation, dx, weightGradient, biasGradient, type.kernelType, Int64(rows),
            Int64(columns))
    }

    /// Softmax of each row of x (rows, columns), or its logarithm.
    public func softmaxRows(
        _ x: UnsafeRawPointer, logarithmic: Bool = false, into y: UnsafeMutableRawPointer, type: ElementType,
        rows: Int, columns: Int
    ) {
        table.pointee.softmax_rows(x, y, logarithmic, type.kernelType, Int64(rows), Int64(columns))
    }

    /// Gradient of ``softmaxRows(_:logarithmic:into:type:rows:columns:)`` from its result `y`.
    public func softmaxRowsGradient(
        _ y: UnsafeRawPointer, gradient dy: UnsafeRawPointer, logarithmic: Bool = false,
        into dx: UnsafeMutableRawPointer, type: ElementType, rows: Int, columns: Int
    ) {
        table.pointee.softmax_rows_gradient(y, dy, dx, logarithmic, type.kernelType, Int64(rows), Int64(columns))
    }

    /// `y[i] = Σ a[i, :] · b[i, :]`; strides in elements.
    public func dotRows(
        _ a: UnsafeRawPointer, stride aStride: Int, _ b: UnsafeRawPointer, stride bStride: Int, type: ElementType,
        rows: Int, columns: Int, into y: UnsafeMutablePointer<Float>
    ) {
        table.pointee.dot_rows(
            a, Int64(aStride), b, Int64(bStride), type.kernelType, Int64(rows), Int64(columns), y)
    }

    /// What lies between the products of an attention's gradient: from scores `s = q kᵀ` and `dp = do vᵀ`, both
    /// (size, size), to `p = exp(scale · s − logSumExp)` and `ds = scale · p (dp − oDot)`, both bfloat16, (size, size), zero
    /// beyond `queries` rows and `keys` columns.
    public func attentionGradientScores(
        _ s: UnsafePointer<Float>, _ dp: UnsafePointer<Float>, logSumExp: UnsafePointer<Float>,
        oDot: UnsafePointer<Float>, scale: Float, intoP p: UnsafeMutablePointer<UInt16>,
        ds: UnsafeMutablePointer<UInt16>, queries: Int, keys: Int, size: Int
    ) {
        table.pointee.attention_gradient_scores(
            s, dp, logSumExp, oDot, scale, p, ds, Int64(queries), Int64(keys), Int64(size))
    }
}

// MARK: - Models and optimisation

/// The numbers of one AdamW step.
public struct AdamWNumbers: Sendable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    public var epsilon: Float
    public var weightDecay: Float
    /// 1 − β₁ᵗ and 1 − β₂ᵗ at step t.
    public var biasCorrection1: Float
    public var biasCorrection2: Float
    /// Factor on the gradient: clipping, averaging over workers.
    public var gradientScale: Float

    public init(
        learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, biasCorrection1: Float,
        biasCorrection2: Float, gradientScale: Float
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.biasCorrection1 = biasCorrection1
        self.biasCorrection2 = biasCorrection2
        self.gradientScale = gradientScale
    }
}

extension HostKernels {
    /// One AdamW step in place, weight decay decoupled (arXiv 1711.05101, algorithm 2).
    public func adamW(
        parameter: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
        firstMoment: UnsafeMutablePointer<Float>, secondMoment: UnsafeMutablePointer<Float>, _ numbers: AdamWNumbers,
        count: Int
    ) {
        table.pointee.adamw(
            parameter, gradient, firstMoment, secondMoment, numbers.learningRate, numbers.beta1, numbers.beta2,
            numbers.epsilon, numbers.weightDecay, numbers.biasCorrection1, numbers.biasCorrection2,
            numbers.gradientScale, Int64(count))
    }

    /// Images (count, channels, height, width) to tokens (count, height/patch · width/patch, channels · patch²), a
    /// token in the order of a convolution's weights: channel, row, column.
    public func patchify(
        _ images: UnsafeRawPointer, _ imagesType: ElementType, into tokens: UnsafeMutableRawPointer,
        _ tokensType: ElementType, count: Int, channels: Int, height: Int, width: Int, patch: Int
    ) {
        table.pointee.patchify(
            images, imagesType.kernelType, tokens, tokensType.kernelType, Int64(count), Int64(channels), Int64(height),
            Int64(width), Int64(patch))
    }
}

// MARK: - The limit

extension HostKernels {
    /// Runs rounds of product instructions on registers alone, to learn how fast this processor multiplies.
    /// - Parameter products: not the mixed ``AttentionProducts/int8BFloat16``.
    /// - Returns: The operations, two for each product that is added.
    public func multiplyRegisters(_ products: AttentionProducts, rounds: Int) -> Int {
        Int(table.pointee.multiply_registers(kernel_products(rawValue: UInt32(products.rawValue)), Int64(rounds)))
    }
}
