/// In which order the tokens of an image grid lie in memory.
///
/// A softmax over tokens does not care, but blocks of keys do: with ``blocks`` or ``hilbert`` a block is a compact patch of
/// the image, so that what is near in the image is near in memory, and more blocks are far from a query as a whole.
public enum GridOrder: String, Sendable, CaseIterable {
    /// Row by row.
    case rows
    /// Squares of 8 × 8 tokens, row by row, and row by row in each.
    case blocks
    /// Along a Hilbert curve through the smallest square with a power of 2 as its side; cells outside the grid are left out.
    case hilbert

    /// The cells of a grid (row times width plus column) in this order.
    public func cells(width: Int, height: Int) -> [Int] {
        switch self {
        case .rows: return Array(0..<(width * height))
        case .blocks:
            let side = 8
            var cells: [Int] = []
            for top in stride(from: 0, to: height, by: side) {
                for left in stride(from: 0, to: width, by: side) {
                    for y in top..<min(top + side, height) {
                        for x in left..<min(left + side, width) { cells.append(y * width + x) }
                    }
                }
            }
            return cells
        case .hilbert:
            var side = 1
            while side < max(width, height) { side *= 2 }
            return (0..<(side * side)).compactMap { index in
                let (x, y) = GridOrder.hilbertPoint(index, side: side)
                return x < width && y < height ? y * width + x : nil
            }
        }
    }

    /// The point at a distance along the Hilbert curve.
    private static func hilbertPoint(_ distance: Int, side: Int) -> (x: Int, y: Int) {
        var (x, y, rest) = (0, 0, distance)
        var scale = 1
        while scale < side {
            let right = 1 & (rest / 2)
            let up = 1 & (rest ^ right)
            if up == 0 {
                if right == 1 { (x, y) = (scale - 1 - x, scale - 1 - y) }
                swap(&x, &y)
            }
            x += scale * right
            y += scale * up
            rest /= 4
            scale *= 2
        }
        return (x, y)
    }

    /// What the kernels need to find a token's neighbours: the cell of each token and the token of each cell. Empty for
    /// ``rows``, and where the tokens do not fill a grid.
    func places(tokens: Int, gridWidth: Int) -> GridPlaces {
        guard self != .rows, gridWidth > 0, tokens > 0, tokens % gridWidth == 0 else {
            return GridPlaces(cells: [], tokens: [])
        }
        let cells = self.cells(width: gridWidth, height: tokens / gridWidth)
        var places = [Int32](repeating: 0, count: cells.count)
        for (token, cell) in cells.enumerated() { places[cell] = Int32(token) }
        return GridPlaces(cells: cells.map(Int32.init), tokens: places)
    }
}

/// A permutation of grid cells and its inverse.
struct GridPlaces {
    var cells: [Int32]
    var tokens: [Int32]

    /// Pointers to both, or nil where tokens lie row by row.
    func withPointers(_ body: (UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Void) {
        guard !cells.isEmpty else { return body(nil, nil) }
        cells.withUnsafeBufferPointer { cells in
            tokens.withUnsafeBufferPointer { tokens in body(cells.baseAddress, tokens.baseAddress) }
        }
    }
}
