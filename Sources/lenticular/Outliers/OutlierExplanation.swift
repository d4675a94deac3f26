import Datasets
import Figures
import Foundation
import ImageProcessing
import Inference
import Models
import Outliers
import Tensors

/// Pictures that show why an object is unusual: itself, what the network makes of it and what is left, where the network looks, and
/// the objects of the archive that are most like it.
struct OutlierExplanation {
    private let fitted: FittedOutliers
    private let pictures: StampPictures
    private let reader: StampReader
    private let rendering: StampRendering
    private static let columns = 5

    init(_ fitted: FittedOutliers, pictures: StampPictures) {
        self.fitted = fitted
        self.pictures = pictures
        reader = StampReader(normalization: fitted.encoder.normalization)
        rendering = StampRendering(normalization: fitted.encoder.normalization)
    }

    /// Writes a picture an object to the folder, named by rank.
    func draw(_ objects: [JudgedObject], into folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for object in objects.sorted(by: { $0.rank < $1.rank }) {
            // A file may have gone since it was read.
            guard let stamp = try? reader.stamp(of: object.row.object).values, let judgement = object.judgement else {
                continue
            }
            let own = parts(stamp, object)
            // Two whole rows.
            let cells = own + neighbours(judgement, count: 2 * Self.columns - own.count)
            let sheet = ContactSheet(
                title: "\(object.row.object.id): rank \(object.rank), score \(significant(object.score))",
                note: "\(fitted.settings.method.rawValue) and its \(fitted.settings.k) nearest neighbours",
                columns: Self.columns, thumbnail: 144)
            let digits = String(object.rank)
            let number = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
            try sheet.draw(cells).writePNG(to: "\(folder)/\(number).png")
        }
    }

    private func parts(_ stamp: [Float], _ object: JudgedObject) -> [ContactSheet.Cell] {
        var cells: [ContactSheet.Cell] = []
        func add(_ picture: RGBImage, _ title: String, _ note: String) {
            cells.append(.init(picture: picture, caption: [title, note], highlighted: cells.isEmpty))
        }
        add(pictures.picture(of: object.row.object), "object", object.row.object.id)
        switch fitted.encoder {
        case .pixels:
            add(rendering.picture(stamp), "stamp", "what is compared")
        case .autoencoder(let network, let normalization, _):
            let image = network.images(stamp, 1)
            let drawn = network.reconstruction(of: image).floats()
            add(rendering.picture(stamp), "stamp", "what the network sees")
            add(rendering.picture(drawn), "reconstruction", "from \(network.configuration.latent) numbers")
            add(rendering.residual(stamp, less: drawn), "residual", "grey: none")
            if let map = network.attentionMap(of: image)?.floats(), let low = map.min(), let high = map.max() {
                add(
                    rendering.weighted(stamp, by: map, side: normalization.size / 4), "attention",
                    "\(fixed(low, 2)) to \(fixed(high, 2))")
            }
        case .backbone(let embedder):
            add(rendering.picture(stamp), "stamp", "what the network sees")
            if let map = embedder.classAttention(stamp) {
                add(
                    rendering.weighted(stamp, by: map.weights, side: map.side), "attention",
                    "of the class token")
            }
        }
        return cells
    }

    private func neighbours(_ judgement: FittedOutliers.Judgement, count: Int) -> [ContactSheet.Cell] {
        zip(judgement.neighbours, judgement.distances).prefix(count).map { member, distance in
            let member = fitted.members[member]
            return .init(
                picture: pictures.picture(of: member), caption: [member.id, "distance \(significant(distance))"])
        }
    }
}
