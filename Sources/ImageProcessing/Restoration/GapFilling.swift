/// Values for pixels that have none: weighted means of the valid pixels around, from the narrowest Gaussian that sees enough of
/// them (normalised convolution, Knutsson and Westin 1993).
public enum GapFilling {
    /// - Parameters:
    ///   - plane: width × height; values of pixels that are not valid do not matter.
    ///   - valid: which pixels count.
    /// - Returns: the plane with all other pixels replaced; those that are far from every valid one become 0.
    public static func fill(_ plane: [Float], valid: [Bool], width: Int, height: Int) -> [Float] {
        precondition(plane.count == width * height && valid.count == plane.count, "[fill] expected one size")
        var result = plane
        var open = valid.indices.filter { !valid[$0] }
        guard !open.isEmpty else { return plane }
        for index in open { result[index] = 0 }
        let values = result
        let weights = valid.map { $0 ? Float(1) : 0 }
        for sigma: Float in [1, 2.5, 6, 15] where !open.isEmpty {
            let sums = PlaneFilter.smooth(values, width: width, height: height, sigma: sigma)
            let norms = PlaneFilter.smooth(weights, width: width, height: height, sigma: sigma)
            open.removeAll { index in
                guard norms[index] > 0.05 else { return false }
                result[index] = sums[index] / norms[index]
                return true
            }
        }
        return result
    }
}
