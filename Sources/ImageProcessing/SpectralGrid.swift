import Foundation

/// Fixed wavelengths at which the spectrum of every pixel is sampled, so that a network takes images of any number of bands.
///
/// Between two bands the brightness is interpolated linearly in the logarithm of the wavelength; beyond the outermost bands it is
/// that of the nearest one. A grey image therefore is grey at all wavelengths, and an image whose bands are those of the grid is
/// used as it is.
public struct SpectralGrid: Sendable, Codable, Hashable {
    /// Ascending, nm.
    public let wavelengths: [Float]

    /// - Parameter wavelengths: positive and ascending, nm.
    public init(wavelengths: [Float]) {
        precondition(
            !wavelengths.isEmpty && wavelengths[0] > 0
                && zip(wavelengths, wavelengths.dropFirst()).allSatisfy { $0 < $1 },
            "[SpectralGrid] expected ascending wavelengths, got \(wavelengths)")
        self.wavelengths = wavelengths
    }

    /// u, g, r, i, z, J, H, K.
    public static let optical = SpectralGrid(wavelengths: [355, 480, 625, 770, 910, 1250, 1630, 2190])

    public var count: Int { wavelengths.count }

    /// What each of the image's bands contributes at each wavelength of the grid, count × bands; rows sum to 1. Bands of one
    /// wavelength share equally.
    public func weights(forBandsAt bands: [Float]) -> [[Float]] {
        let distinct = Set(bands).sorted()
        func share(_ wavelength: Float, _ weight: Float, into row: inout [Float]) {
            let same = bands.indices.filter { bands[$0] == wavelength }
            for band in same { row[band] += weight / Float(same.count) }
        }
        return wavelengths.map { wavelength in
            var row = [Float](repeating: 0, count: bands.count)
            guard let above = distinct.firstIndex(where: { $0 >= wavelength }) else {
                share(distinct[distinct.count - 1], 1, into: &row)
                return row
            }
            guard above > 0, distinct[above] != wavelength else {
                share(distinct[above], 1, into: &row)
                return row
            }
            let (low, high) = (distinct[above - 1], distinct[above])
            let t = Self.logarithm(wavelength / low) / Self.logarithm(high / low)
            share(low, 1 - t, into: &row)
            share(high, t, into: &row)
            return row
        }
    }

    /// Planes of bands to planes at the grid's wavelengths.
    ///
    /// - Parameters:
    ///   - planes: bands × count numbers.
    ///   - bands: wavelengths of the bands, nm.
    public func sample(_ planes: [Float], bands: [Float]) -> [Float] {
        let size = planes.count / bands.count
        var result = [Float](repeating: 0, count: count * size)
        result.withUnsafeMutableBufferPointer { result in
            planes.withUnsafeBufferPointer { planes in
                for (index, row) in weights(forBandsAt: bands).enumerated() {
                    for (band, weight) in row.enumerated() where weight != 0 {
                        for i in 0..<size { result[index * size + i] += weight * planes[band * size + i] }
                    }
                }
            }
        }
        return result
    }

    private static func logarithm(_ x: Float) -> Float { Float(log(Double(x))) }
}
