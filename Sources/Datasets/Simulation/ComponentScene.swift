public import AstroIO
import Foundation

/// A list of components behind a PSF, without sky and noise: for comparisons with other programs, and for models by hand.
///
///     {"size": 64, "pixelScale": 0.262, "psf": {"moffat": {"beta": 3}}, "fwhm": 1.1,
///      "components": [{"shape": {"sersic": {"index": 4, "halfLightRadius": 1.5}}, "axisRatio": 0.7, "flux": [100]}]}
public struct ComponentScene: Sendable, Codable {
    /// Side in pixels; the components' origin is in the middle.
    public var size: Int
    /// Arcseconds a pixel.
    public var pixelScale: Double
    public var psf: PointSpread.Shape
    /// Arcsec.
    public var fwhm: Double
    /// Of one flux each.
    public var components: [LightComponent]

    /// Reads a scene from a JSON file.
    /// - Throws: `ImageError` (`content`) naming the component and what is wrong with it.
    public static func read(_ path: String) throws(ImageError) -> ComponentScene {
        let scene: ComponentScene
        do {
            scene = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch let error as DecodingError {
            throw ImageError(.content, path: path, "is not a scene: \(error.reason)")
        } catch {
            throw ImageError(.content, path: path, "cannot be read: \(error.localizedDescription)")
        }
        if let problem = scene.problem { throw ImageError(.content, path: path, problem) }
        return scene
    }

    private var problem: String? {
        if !(8...2048).contains(size) { return "size: expected 8 … 2048 pixels, got \(size)" }
        if !(0.001...100).contains(pixelScale) { return "pixelScale: expected 0.001 … 100 arcsec, got \(pixelScale)" }
        if !(fwhm >= pixelScale && fwhm < pixelScale * Double(size)) {
            return "fwhm: expected at least a pixel and less than the image, got \(fwhm)"
        }
        if case .moffat(let beta) = psf, !(1.5...10).contains(beta) {
            return "psf: expected β of 1.5 … 10, got \(beta)"
        }
        for (index, component) in components.enumerated() {
            if component.flux.count != 1 { return "component \(index + 1): expected one flux" }
            if let problem = component.problem { return "component \(index + 1): \(problem)" }
        }
        return nil
    }

    /// The light in each pixel, in the unit of the fluxes.
    public func image() -> Image {
        let renderer = SceneRenderer(pixelScale: pixelScale, psf: psf, largest: size + 32)
        let pixels = renderer.render(components, size: size, psfs: [PointSpread(psf, fwhm: fwhm)])[0]
        return Image(bands: ["model"], width: size, height: size, pixels: pixels, rowOrder: .bottomUp)
    }
}

extension DecodingError {
    /// Where in the file, and why.
    fileprivate var reason: String {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return (place.isEmpty ? "" : place + ": ") + context.debugDescription
        @unknown default: return "\(self)"
        }
    }
}
