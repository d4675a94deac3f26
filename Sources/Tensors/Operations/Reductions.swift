extension Tensor {
    /// Sum over the given axes (all by default).
    public func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        reduced(.sum, axes: axes, keepingAxes: keepingAxes)
    }

    /// Mean over the given axes (all by default).
    public func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        reduced(.mean, axes: axes, keepingAxes: keepingAxes)
    }

    /// Maximum over the given axes (all by default). The derivative goes to the elements that equal the maximum, in
    /// equal parts.
    public func max(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        reduced(.maximum, axes: axes, keepingAxes: keepingAxes)
    }

    private func reduced(_ reduction: Reduction, axes: [Int]?, keepingAxes: Bool) -> Tensor {
        let axes = (axes ?? Array(0..<rank)).map { resolved(axis: $0, in: "reduce") }
        var kept = shape
        for axis in axes { kept[axis] = 1 }
        let finalShape = keepingAxes ? kept : shape.enumerated().filter { !axes.contains($0.offset) }.map(\.element)
        let number = axes.reduce(1) { $0 * shape[$1] }
        require(number > 0 || reduction == .sum, "reduce", expected: "axes that are not empty", got: "\(shape)")
        let result = Tensor.uninitialized(shape: kept, dtype: dtype, on: backend)
        backend.reduce(reduction, self, into: result)
        let shaped = Tensor(shape: finalShape, dtype: dtype, storage: result.storage)
        guard isOnTape else { return shaped }
        let (x, whole) = (detached, shape)
        return shaped.recorded(from: [self]) { gradient, _ in
            let g = gradient.reshape(kept)
            switch reduction {
            case .sum: return [g.broadcast(to: whole)]
            case .mean: return [g.scaled(by: 1 / Float(number)).broadcast(to: whole)]
            case .maximum:
                // 1 where x equals its maximum: x − max is 0 there and negative elsewhere.
                let ties = (x - result).equalsZero()
                return [ties * (g / ties.sum(axes: axes, keepingAxes: true))]
            }
        }
    }

    /// 1 where the value is zero, else 0; no derivative.
    func equalsZero() -> Tensor {
        let result = Tensor.uninitialized(shape: shape, dtype: dtype, on: backend)
        backend.unary(.isZero, detached, into: result)
        return result
    }
}
