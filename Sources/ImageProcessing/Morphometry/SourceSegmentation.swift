internal import CSEP

/// Finds the sources of a stamp and says which pixel belongs to which, by libsep (SExtractor's algorithm).
package struct SourceSegmentation: Sendable {
    /// In standard deviations of the sky.
    package var threshold: Float = 1.5
    /// Pixels that a source must have.
    package var minimalArea = 5
    /// Share of the light that a peak must have to be a source of its own.
    package var deblendContrast = 0.01

    package init() {}

    /// The label of each pixel: 0 for the sky, else the number of the source, from 1.
    ///
    /// - Parameters:
    ///   - light: without the sky; pixels that are masked or no number count as sky.
    ///   - skySigma: standard deviation of the sky.
    package func find(_ light: Plane<Double>, skySigma: Double, masked: Plane<Bool>?) -> Plane<Int32> {
        var labels = Plane<Int32>(width: light.width, height: light.height, filledWith: 0)
        guard skySigma > 0, skySigma.isFinite else { return labels }
        var signal = light.values.map { $0.isFinite ? Float($0 / skySigma) : 0 }
        if let masked { for index in signal.indices where masked.values[index] { signal[index] = 0 } }
        let smoothing: [Float] = [1, 2, 1, 2, 4, 2, 1, 2, 1]
        var catalog: UnsafeMutablePointer<sep_catalog>?
        let status = signal.withUnsafeBytes { bytes in
            var image = sep_image()
            image.data = bytes.baseAddress
            image.dtype = Int32(SEP_TFLOAT)
            image.w = Int32(light.width)
            image.h = Int32(light.height)
            return sep_extract(
                &image, threshold, Int32(SEP_THRESH_ABS), Int32(minimalArea), smoothing, 3, 3,
                Int32(SEP_FILTER_CONV), 32, deblendContrast, 1, 1, &catalog)
        }
        // On failure (more sources than libsep's limits) nothing is found, which the caller reports.
        guard status == 0, let catalog else { return labels }
        defer { sep_catalog_free(catalog) }
        for source in 0..<Int(catalog.pointee.nobj) {
            guard let pixels = catalog.pointee.pix[source] else { continue }
            for index in 0..<Int(catalog.pointee.npix[source]) {
                labels.values[Int(pixels[index])] = Int32(source + 1)
            }
        }
        return labels
    }

    /// The source at a place, or else the one that has the nearest pixel within a distance; nil where there is none.
    package static func label(in labels: Plane<Int32>, atX x: Int, y: Int, within distance: Int) -> Int32? {
        guard x >= 0, y >= 0, x < labels.width, y < labels.height else { return nil }
        if labels[x, y] > 0 { return labels[x, y] }
        var best: (label: Int32, squared: Int)?
        for row in max(0, y - distance)...min(labels.height - 1, y + distance) {
            for column in max(0, x - distance)...min(labels.width - 1, x + distance) where labels[column, row] > 0 {
                let squared = (column - x) * (column - x) + (row - y) * (row - y)
                if squared <= distance * distance && squared < best?.squared ?? .max {
                    best = (labels[column, row], squared)
                }
            }
        }
        return best?.label
    }
}
