import Foundation
public import ImageProcessing

/// A picture of an image with the detected sources drawn on it: an ellipse each, coloured by class.
public struct SourceOverlay: Sendable {
    /// Ellipses are drawn at so many RMS widths: 3 holds nearly all of the light.
    public var widths = 3.0
    /// Longest side of the picture; larger images are reduced.
    public var longestSide = 4096

    public init() {}

    /// - Parameters:
    ///   - picture: of the image that the sources were found in.
    ///   - rowsFromBottom: whether the image's first row is drawn at the bottom, as FITS images are.
    public func draw(_ sources: [DetectedSource], on picture: RGBImage, rowsFromBottom: Bool) -> RGBImage {
        let longest = max(picture.width, picture.height)
        let enlargement = longest < 320 ? (640 + longest - 1) / longest : 1
        let factor =
            longest > longestSide ? Double(longestSide) / Double(longest) : Double(enlargement)
        let (width, height) = (
            max(1, Int((Double(picture.width) * factor).rounded())),
            max(1, Int((Double(picture.height) * factor).rounded()))
        )
        let canvas = Canvas(width: width, height: height, background: .black)
        canvas.picture(factor == 1 ? picture : picture.resized(width: width, height: height), x: 0, y: 0)
        for source in sources {
            let color =
                switch source.mostProbableClass {
                case .star: Color.series[4]
                case .artefact: Color.series[1]
                case .galaxy, nil: Color.series[2]
                }
            canvas.line(outline(source, factor, height: picture.height, rowsFromBottom), color, width: 1.2)
        }
        return canvas.image()
    }

    private func outline(_ source: DetectedSource, _ factor: Double, height: Int, _ rowsFromBottom: Bool) -> [(
        x: Double, y: Double
    )] {
        let (a, b) = (max(widths * source.a, 2), max(widths * source.b, 2))
        return (0...48).map { step in
            let angle = 2 * Double.pi * Double(step) / 48
            let (u, v) = (a * cos(angle), b * sin(angle))
            let x = source.x + u * cos(source.theta) - v * sin(source.theta)
            let y = source.y + u * sin(source.theta) + v * cos(source.theta)
            // Pixel centres are at integers; the picture's first pixel covers 0 … 1.
            let row = rowsFromBottom ? Double(height) - 0.5 - y : y + 0.5
            return ((x + 0.5) * factor, row * factor)
        }
    }
}
