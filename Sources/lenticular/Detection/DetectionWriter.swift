import AstroIO
import Figures
import Foundation
import ImageProcessing
import Pipelines

/// Writes what was detected in an image: the catalog in two formats, the segmentation and a picture.
struct DetectionWriter {
    let folder: String
    let detector: String
    /// Instead of the image's own.
    let zeroPoint: Double?
    let writesSegmentation: Bool
    let writesOverlay: Bool

    func write(_ sources: MeasuredSources, of image: Image, id: String, name: String) throws {
        let path = "\(folder)/\(name)"
        let catalog = try SourceCatalog.table(
            sources, wcs: image.wcs,
            zeroPoint: zeroPoint.map { PhotometricZeroPoint($0, origin: "--zero-point") }
                ?? PhotometricZeroPoint(of: image), unit: image.unit,
            metadata: [
                CatalogMetadata("IMAGE", id, comment: "what the sources were found in"),
                CatalogMetadata("DETECTOR", detector, comment: "network or sep"),
                CatalogMetadata("CREATOR", "lenticular \(ProgramVersion.current)"),
            ])
        try catalog.write(to: path + "_sources.fits")
        try catalog.write(to: path + "_sources.ecsv")
        if writesSegmentation {
            let segmentation = Image(
                bands: ["segmentation"], width: image.width, height: image.height,
                pixels: sources.segmentation.map.map { Float($0) }, wcs: image.wcs)
            try FITSImageWriter.write(segmentation, to: path + "_segmentation.fits")
        }
        if writesOverlay {
            let overlay = SourceOverlay().draw(
                sources.segmentation.sources, on: Composite.rgb(from: image),
                rowsFromBottom: image.rowOrder == .bottomUp)
            try overlay.writePNG(to: path + "_overlay.png")
        }
    }

    /// A row for each image that could not be used; no file where there is none.
    static func write(failures: [(id: String, reason: String)], to path: String) throws {
        guard !failures.isEmpty else {
            try? FileManager.default.removeItem(atPath: path)
            return
        }
        try Catalog(
            name: "FAILURES",
            columns: [
                Column("id_str", .string(failures.map(\.id)), description: "The image"),
                Column("reason", .string(failures.map(\.reason)), description: "Why nothing was detected in it"),
            ]
        ).write(to: path)
    }
}
