/// Level and noise of the sky over an image: clipped medians in boxes, interpolated between their centres.
///
/// The level is taken away before a network sees the image and added again afterwards: it need not be exact, and light of large
/// galaxies in it is not lost.
public struct SkyMap: Sendable {
    /// Sky level of each pixel.
    public let level: [Float]
    /// Standard deviation of the sky's noise in a pixel: the median over the boxes.
    public let noise: Float

    /// - Parameters:
    ///   - plane: width × height.
    ///   - valid: which pixels count.
    ///   - box: side of a box in pixels.
    /// - Returns: nil without a valid pixel.
    public init?(_ plane: [Float], valid: [Bool], width: Int, height: Int, box: Int = 128) {
        let (columns, rows) = (max(1, width / box), max(1, height / box))
        let (boxWidth, boxHeight) = (Double(width) / Double(columns), Double(height) / Double(rows))
        var cells: [SkyEstimate?] = []
        for row in 0..<rows {
            for column in 0..<columns {
                var values: [Float] = []
                for y in Int(Double(row) * boxHeight)..<Int(Double(row + 1) * boxHeight) {
                    for x in Int(Double(column) * boxWidth)..<Int(Double(column + 1) * boxWidth)
                    where valid[y * width + x] { values.append(plane[y * width + x]) }
                }
                cells.append(SkyEstimate(values))
            }
        }
        let known = cells.compactMap { $0 }
        guard !known.isEmpty else { return nil }
        let middle = known.map(\.level).sorted()[known.count / 2]
        noise = known.map(\.noise).sorted()[known.count / 2]
        let levels = cells.map { $0?.level ?? middle }
        var result = [Float](repeating: 0, count: plane.count)
        func place(_ x: Int, _ size: Double, _ count: Int) -> (Int, Int, Float) {
            let position = min(max((Double(x) + 0.5) / size - 0.5, 0), Double(count - 1))
            let low = Int(position)
            return (low, min(low + 1, count - 1), Float(position - Double(low)))
        }
        let across = (0..<width).map { place($0, boxWidth, columns) }
        for y in 0..<height {
            let (top, bottom, v) = place(y, boxHeight, rows)
            for x in 0..<width {
                let (left, right, u) = across[x]
                let upper = levels[top * columns + left] * (1 - u) + levels[top * columns + right] * u
                let lower = levels[bottom * columns + left] * (1 - u) + levels[bottom * columns + right] * u
                result[y * width + x] = upper * (1 - v) + lower * v
            }
        }
        level = result
    }
}
