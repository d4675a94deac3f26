internal import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension UnaryFunction {
    /// The vectorised version, where there is one.
    var kernel: UnaryKernel? {
        switch self {
        case .gelu: .gelu
        case .relu: .relu
        case .sigmoid: .sigmoid
        case .softplus: .softplus
        case .tanh: .tanh
        case .exp: .exp
        case .log: .log
        case .sqrt: .sqrt
        case .square: .square
        case .abs: .abs
        case .reciprocal: .reciprocal
        case .logGamma, .huber, .isZero: nil
        }
    }

    /// The functions without a vectorised version, one element at a time.
    func apply(_ x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, count: Int) {
        switch self {
        case .logGamma: for i in 0..<count { out[i] = Float(UnaryFunction.logGamma(Double(x[i]))) }
        case .huber:
            for i in 0..<count {
                let magnitude = x[i].magnitude
                out[i] = magnitude <= 1 ? 0.5 * x[i] * x[i] : magnitude - 0.5
            }
        case .isZero: for i in 0..<count { out[i] = x[i] == 0 ? 1 : 0 }
        default: preconditionFailure("[\(self)] expected a function without a vectorised version")
        }
    }

    /// `gradient · function'(x)` for the functions without a vectorised version.
    func applyGradient(
        _ x: UnsafePointer<Float>, gradient: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, count: Int
    ) {
        switch self {
        case .logGamma: for i in 0..<count { out[i] = gradient[i] * Float(UnaryFunction.digamma(Double(x[i]))) }
        case .huber: for i in 0..<count { out[i] = gradient[i] * max(-1, min(1, x[i])) }
        case .isZero: for i in 0..<count { out[i] = 0 }
        default: preconditionFailure("[\(self)] expected a function without a vectorised version")
        }
    }

    /// `log Γ(x)`, x > 0; the re-entrant form, because `lgamma` writes a global sign.
    private static func logGamma(_ x: Double) -> Double {
        var sign: Int32 = 0
        return lgamma_r(x, &sign)
    }

    /// The derivative of `log Γ`, x > 0: recurrence up to 6, then the asymptotic series (Abramowitz & Stegun 6.3.18).
    private static func digamma(_ x: Double) -> Double {
        var (x, result) = (x, 0.0)
        while x < 6 {
            result -= 1 / x
            x += 1
        }
        let inverse = 1 / (x * x)
        let series =
            inverse * (1.0 / 12 - inverse * (1.0 / 120 - inverse * (1.0 / 252 - inverse * (1.0 / 240 - inverse / 132))))
        return result + Glibc.log(x) - 0.5 / x - series
    }
}

extension BinaryFunction {
    var kernel: BinaryKernel {
        switch self {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .maximum: .maximum
        case .minimum: .minimum
        }
    }
}
