extension Tensor {
    /// The same values under another shape, without a copy. One axis may be −1: it takes what is left.
    public func reshape(_ newShape: [Int]) -> Tensor {
        var target = newShape
        if let free = target.firstIndex(of: -1) {
            let rest = target.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
            target[free] = rest == 0 ? 0 : count / rest
        }
        require(
            target.reduce(1, *) == count, "reshape", expected: "\(count) elements (\(shape))", got: "shape \(newShape)")
        let result = Tensor(shape: target, dtype: dtype, storage: storage)
        guard isOnTape else { return result }
        let original = shape
        return result.recorded(from: [self]) { gradient, _ in [gradient.reshape(original)] }
    }

    /// Axes reordered: axis i of the result is axis `axes[i]` of `self`.
    public func permute(_ axes: [Int]) -> Tensor {
        require(
            axes.sorted() == Array(0..<rank), "permute", expected: "a permutation of the axes of \(shape)",
            got: "\(axes)")
        let result = Tensor.uninitialized(shape: axes.map { shape[$0] }, dtype: dtype, on: backend)
        backend.permute(self, axes: axes, into: result)
        guard isOnTape else { return result }
        var inverse = axes
        for (i, axis) in axes.enumerated() { inverse[axis] = i }
        return result.recorded(from: [self]) { [inverse] gradient, _ in [gradient.permute(inverse)] }
    }

    /// The last two axes swapped.
    public func transpose() -> Tensor {
        require(rank >= 2, "transpose", expected: "at least two axes", got: "\(shape)")
        var axes = Array(0..<rank)
        axes.swapAt(rank - 1, rank - 2)
        return permute(axes)
    }

    /// The part of `self` whose index along an axis lies in the range.
    public func slice(axis: Int, _ range: Range<Int>) -> Tensor {
        let axis = resolved(axis: axis, in: "slice")
        require(
            range.lowerBound >= 0 && range.upperBound <= shape[axis], "slice",
            expected: "a range inside 0..<\(shape[axis])", got: "\(range)")
        if range == 0..<shape[axis] { return self }
        var extent = shape
        extent[axis] = range.count
        var from = [Int](repeating: 0, count: rank)
        from[axis] = range.lowerBound
        let zero = [Int](repeating: 0, count: rank)
        let result = Tensor.uninitialized(shape: extent, dtype: dtype, on: backend)
        backend.copyBox(self, from: from, into: result, at: zero, extent: extent)
        guard isOnTape else { return result }
        let whole = shape
        return result.recorded(from: [self]) { [from, extent] gradient, _ in
            let out = Tensor.zeros(whole, dtype: gradient.dtype, on: gradient.backend)
            gradient.backend.copyBox(gradient, from: zero, into: out, at: from, extent: extent)
            return [out]
        }
    }

    /// Tensors joined along an axis; their other axes are equal.
    public static func concat(_ parts: [Tensor], axis: Int) -> Tensor {
        require(!parts.isEmpty, "concat", expected: "at least one tensor", got: "none")
        let first = parts[0]
        let axis = first.resolved(axis: axis, in: "concat")
        var shape = first.shape
        shape[axis] = 0
        for part in parts {
            var expected = first.shape
            require(part.rank == first.rank, "concat", expected: "rank \(first.rank)", got: "\(part.shape)")
            expected[axis] = part.shape[axis]
            require(
                part.shape == expected && part.dtype == first.dtype, "concat",
                expected: "\(expected) \(first.dtype.rawValue)", got: "\(part.shape) \(part.dtype.rawValue)")
            shape[axis] += part.shape[axis]
        }
        let result = Tensor.uninitialized(shape: shape, dtype: first.dtype, on: first.backend)
        let zero = [Int](repeating: 0, count: shape.count)
        var at = zero
        for part in parts {
            first.backend.copyBox(part, from: zero, into: result, at: at, extent: part.shape)
            at[axis] += part.shape[axis]
        }
        let lengths = parts.map { $0.shape[axis] }
        guard parts.contains(where: \.isOnTape) else { return result }
        return result.recorded(from: parts) { gradient, needs in
            var start = 0
            return zip(lengths, needs).map { length, needed in
                defer { start += length }
                return needed ? gradient.slice(axis: axis, start..<(start + length)) : nil
            }
        }
    }

    /// Rows chosen by index: (R, …) with indices (K) gives (K, …).
    public func gather(rows indices: Tensor) -> Tensor {
        require(
            rank >= 1 && indices.rank == 1 && indices.dtype == .int32, "gather",
            expected: "x (R, …) and int32 indices (K)", got: "\(shape) and \(indices.dtype.rawValue) \(indices.shape)")
        let width = Swift.max(1, count / Swift.max(1, shape[0]))
        let rows = reshape([1, shape[0], width]).gatherTokens(indices.reshape([1, indices.count]))
        return rows.reshape([indices.count] + shape.dropFirst())
    }

    /// Tokens chosen by index, each image its own: (B, R, W) with indices (B, K) gives (B, K, W).
    ///
    /// Indices must lie in 0..<R; others trap.
    public func gatherTokens(_ indices: Tensor) -> Tensor {
        require(
            rank == 3 && indices.rank == 2 && indices.dtype == .int32 && indices.shape[0] == shape[0], "gatherTokens",
            expected: "x (B, R, W) and int32 indices (B, K)",
            got: "\(shape) and \(indices.dtype.rawValue) \(indices.shape)")
        let result = Tensor.uninitialized(shape: [shape[0], indices.shape[1], shape[2]], dtype: dtype, on: backend)
        backend.gather(self, indices: indices, into: result)
        guard isOnTape else { return result }
        let (whole, type) = (shape, dtype)
        return result.recorded(from: [self]) { gradient, _ in
            [gradient.scatterTokens(indices, count: whole[1]).cast(to: type)]
        }
    }

    /// The adjoint of ``gatherTokens(_:)``: tokens (B, K, W) added up at their indices in (B, count, W), zero elsewhere.
    public func scatterTokens(_ indices: Tensor, count rows: Int) -> Tensor {
        require(
            rank == 3 && indices.shape == [shape[0], shape[1]] && indices.dtype == .int32, "scatterTokens",
            expected: "x (B, K, W) and int32 indices (B, K)",
            got: "\(shape) and \(indices.dtype.rawValue) \(indices.shape)")
        let result = Tensor.zeros([shape[0], rows, shape[2]], dtype: dtype, on: backend)
        backend.scatterAdd(self, indices: indices, into: result)
        guard isOnTape else { return result }
        return result.recorded(from: [self]) { gradient, _ in [gradient.gatherTokens(indices)] }
    }

    /// Cuts images (B, C, H, W) into square patches: (B, (H/p)·(W/p), C·p·p), each patch channel by channel in
    /// row-major order, patches row by row.
    public func patchify(_ patch: Int) -> Tensor {
        require(
            rank == 4 && shape[2] % patch == 0 && shape[3] % patch == 0, "patchify",
            expected: "(B, C, H, W) with H and W multiples of \(patch)", got: "\(shape)")
        let (b, c, rows, columns) = (shape[0], shape[1], shape[2] / patch, shape[3] / patch)
        return reshape([b, c, rows, patch, columns, patch]).permute([0, 2, 4, 1, 3, 5])
            .reshape([b, rows * columns, c * patch * patch])
    }

    /// The inverse of ``patchify(_:)`` for images of the given channels, height and width.
    public func unpatchify(_ patch: Int, channels: Int, height: Int, width: Int) -> Tensor {
        let (rows, columns) = (height / patch, width / patch)
        require(
            rank == 3 && shape[1] == rows * columns && shape[2] == channels * patch * patch, "unpatchify",
            expected: "(B, \(rows * columns), \(channels * patch * patch))", got: "\(shape)")
        return reshape([shape[0], rows, columns, channels, patch, patch]).permute([0, 3, 1, 4, 2, 5])
            .reshape([shape[0], channels, height, width])
    }

    /// Rearranges channels into space: (B, C·r², H, W) to (B, C, H·r, W·r) (arXiv 1609.05158).
    public func pixelShuffle(_ factor: Int) -> Tensor {
        require(
            rank == 4 && shape[1] % (factor * factor) == 0, "pixelShuffle",
            expected: "(B, C·\(factor)², H, W)", got: "\(shape)")
        let (b, c, h, w) = (shape[0], shape[1] / (factor * factor), shape[2], shape[3])
        return reshape([b, c, factor, factor, h, w]).permute([0, 1, 4, 2, 5, 3])
            .reshape([b, c, h * factor, w * factor])
    }
}
