extension Tensor {
    // MARK: - Types

    /// The same values in another floating-point type; `self` if the type is the same already.
    public func cast(to type: DType) -> Tensor {
        guard type != dtype else { return self }
        let result = Tensor.uninitialized(shape: shape, dtype: type, on: backend)
        backend.convert(self, into: result)
        guard isOnTape else { return result }
        let original = dtype
        return result.recorded(from: [self]) { gradient, _ in [gradient.cast(to: original)] }
    }

    /// The same values in storage of their own.
    public func copy() -> Tensor {
        let result = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        backend.convert(self, into: result)
        guard isOnTape else { return result }
        return result.recorded(from: [self]) { gradient, _ in [gradient] }
    }

    // MARK: - Functions of one variable

    /// Gaussian error linear unit `x Φ(x)`, with the error function, not its tanh approximation (arXiv 1606.08415).
    public func gelu() -> Tensor { unary(.gelu) }
    /// `max(x, 0)`.
    public func relu() -> Tensor { unary(.relu) }
    /// `1 / (1 + exp(−x))`.
    public func sigmoid() -> Tensor { unary(.sigmoid) }
    /// `log(1 + exp(x))`.
    public func softplus() -> Tensor { unary(.softplus) }
    /// Hyperbolic tangent.
    public func tanh() -> Tensor { unary(.tanh) }
    /// Natural exponential.
    public func exp() -> Tensor { unary(.exp) }
    /// Natural logarithm.
    public func log() -> Tensor { unary(.log) }
    /// Square root.
    public func sqrt() -> Tensor { unary(.sqrt) }
    /// `x²`.
    public func square() -> Tensor { unary(.square) }
    /// `|x|`; its derivative at 0 is 0.
    public func abs() -> Tensor { unary(.abs) }
    /// `1 / x`.
    public func reciprocal() -> Tensor { unary(.reciprocal) }
    /// `log Γ(x)` for x > 0.
    public func logGamma() -> Tensor { unary(.logGamma) }
    /// `x² / 2` where |x| ≤ 1, else `|x| − 1/2`.
    public func huber() -> Tensor { unary(.huber) }

    private func unary(_ function: UnaryFunction) -> Tensor {
        require(dtype.isFloatingPoint, "unary", expected: "a floating-point tensor", got: dtype.rawValue)
        let result = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        backend.unary(function, self, into: result)
        guard isOnTape else { return result }
        let x = detached
        return result.recorded(from: [self]) { gradient, _ in
            let out = Tensor.uninitialized(shape: x.shape, dtype: x.dtype, on: x.backend)
            x.backend.unaryGradient(function, x, gradient: gradient.cast(to: x.dtype), into: out)
            return [out]
        }
    }

    /// `scale · self + offset`.
    public func affine(scale: Float, offset: Float) -> Tensor {
        let result = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        backend.affine(self, scale: scale, offset: offset, into: result)
        guard isOnTape else { return result }
        return result.recorded(from: [self]) { gradient, _ in [gradient.affine(scale: scale, offset: 0)] }
    }

    /// `scale · self`.
    public func scaled(by scale: Float) -> Tensor { affine(scale: scale, offset: 0) }

    // MARK: - Functions of two variables, with broadcasting

    /// Sum. Axes are aligned at the end; an axis that is absent or of length 1 repeats.
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        a.binary(.add, b) { gradient, needs in [gradient, gradient] }
    }

    /// Difference, broadcast as in `+`.
    public static func - (a: Tensor, b: Tensor) -> Tensor {
        a.binary(.subtract, b) { gradient, needs in [gradient, needs[1] ? -gradient : nil] }
    }

    /// Element-wise product, broadcast as in `+`.
    public static func * (a: Tensor, b: Tensor) -> Tensor {
        let (x, y) = (a.detached, b.detached)
        return a.binary(.multiply, b) { gradient, needs in
            [needs[0] ? gradient * y : nil, needs[1] ? gradient * x : nil]
        }
    }

    /// Quotient, broadcast as in `+`.
    public static func / (a: Tensor, b: Tensor) -> Tensor {
        let (x, y) = (a.detached, b.detached)
        return a.binary(.divide, b) { gradient, needs in
            [needs[0] ? gradient / y : nil, needs[1] ? -(gradient * x) / y.square() : nil]
        }
    }

    public static prefix func - (a: Tensor) -> Tensor { a.affine(scale: -1, offset: 0) }
    public static func + (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, offset: b) }
    public static func + (a: Float, b: Tensor) -> Tensor { b.affine(scale: 1, offset: a) }
    public static func - (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, offset: -b) }
    public static func - (a: Float, b: Tensor) -> Tensor { b.affine(scale: -1, offset: a) }
    public static func * (a: Tensor, b: Float) -> Tensor { a.affine(scale: b, offset: 0) }
    public static func * (a: Float, b: Tensor) -> Tensor { b.affine(scale: a, offset: 0) }
    public static func / (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1 / b, offset: 0) }
    public static func / (a: Float, b: Tensor) -> Tensor { b.reciprocal().affine(scale: a, offset: 0) }

    private func binary(
        _ function: BinaryFunction, _ other: Tensor, derivative: @escaping Tape.Derivative
    ) -> Tensor {
        guard let resultShape = Tensor.broadcastShape(shape, other.shape) else {
            preconditionFailure("[\(function)] expected shapes that broadcast, got \(shape) and \(other.shape)")
        }
        require(
            dtype.isFloatingPoint && other.dtype.isFloatingPoint, "binary", expected: "floating-point tensors",
            got: "\(dtype.rawValue) and \(other.dtype.rawValue)")
        // Mixed types widen: bfloat16 with float32 gives float32.
        let type: DType = dtype == .bfloat16 && other.dtype == .bfloat16 ? .bfloat16 : .float32
        let result = Tensor.uninitialized(shape: resultShape, dtype: type, on: backend)
        backend.binary(function, self, other, into: result)
        guard isOnTape || other.isOnTape else { return result }
        let (shapeA, typeA, shapeB, typeB) = (shape, dtype, other.shape, other.dtype)
        return result.recorded(from: [self, other]) { gradient, needs in
            let raw = derivative(gradient, needs)
            return [
                needs[0] ? raw[0]?.summed(toBroadcastFrom: shapeA).cast(to: typeA) : nil,
                needs[1] ? raw[1]?.summed(toBroadcastFrom: shapeB).cast(to: typeB) : nil,
            ]
        }
    }

    /// The shape that two shapes broadcast to, or nil if they do not.
    static func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int]? {
        if a == b { return a }
        let rank = Swift.max(a.count, b.count)
        var result = [Int](repeating: 1, count: rank)
        for i in 1...Swift.max(rank, 1) where i <= rank {
            let (p, q) = (i <= a.count ? a[a.count - i] : 1, i <= b.count ? b[b.count - i] : 1)
            guard p == q || p == 1 || q == 1 else { return nil }
            result[rank - i] = p == 1 ? q : p
        }
        return result
    }

    /// Sums over the axes along which a tensor of `shape` was repeated to give `self`.
    func summed(toBroadcastFrom shape: [Int]) -> Tensor {
        if shape == self.shape { return self }
        let missing = rank - shape.count
        let axes = (0..<rank).filter { $0 < missing || (shape[$0 - missing] == 1 && self.shape[$0] != 1) }
        return sum(axes: axes, keepingAxes: true).reshape(shape)
    }

    /// `self` repeated along axes of length 1 (or absent) to the given shape.
    public func broadcast(to target: [Int]) -> Tensor {
        if shape == target { return self }
        require(
            Tensor.broadcastShape(shape, target) == target, "broadcast",
            expected: "a shape that broadcasts to \(target)",
            got: "\(shape)")
        let zero = Tensor.zeros([Int](repeating: 1, count: target.count), dtype: dtype, on: backend)
        let result = Tensor.uninitialized(shape: target, dtype: dtype, on: backend)
        backend.binary(.add, self, zero, into: result)
        guard isOnTape else { return result }
        let original = shape
        return result.recorded(from: [self]) { gradient, _ in [gradient.summed(toBroadcastFrom: original)] }
    }
}
