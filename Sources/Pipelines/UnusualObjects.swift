import AstroIO
import Datasets
import Figures
import Foundation
import ImageProcessing

/// The pictures of a scored run: the most unusual objects, and how the score is distributed.
struct UnusualObjects {
    let settings: ContactSheetSettings
    /// Reads the objects again, in the thumbnails' size.
    let reader: StampReader
    let objects: [ObjectFiles]

    init(_ settings: ContactSheetSettings, reader: StampReader, objects: [ObjectFiles]) {
        self.settings = settings
        var reader = reader
        reader.normalization.size = settings.thumbnail
        self.reader = reader
        self.objects = objects
    }

    /// - Parameters:
    ///   - scores: in the order of the journal's objects that have an embedding.
    func draw(
        _ journal: ObjectJournal, scores: [ScoredObject], into folder: RunFolder, title: String
    ) throws(PipelineError) {
        let shown = try mostUnusual(journal, scores)
        let scored = scores.count { $0.rank > 0 }
        let sheet = ContactSheet(
            title: title,
            note:
                "\(shown.count) of \(scored) scored objects, by mean distance to the nearest neighbours; rank in the corner",
            columns: settings.columns, thumbnail: settings.thumbnail)
        var plot = Plot.histogram(
            of: scores.map(\.score), title: "Outlier score of \(scored) objects",
            xLabel: "mean distance to the nearest neighbours", yLabel: "objects")
        plot.yIsLogarithmic = scored > 200
        if let last = shown.last, shown.count < scored {
            plot.markers = [.init(x: last.score.score, text: "contact sheet: from here on")]
        }
        do throws(ImageError) {
            try sheet.draw(shown.map(cell)).writePNG(to: folder.contactSheet)
            try plot.draw().writePNG(to: folder.scoreHistogram)
        } catch {
            throw PipelineError(.output, path: error.path, error.reason)
        }
    }

    private struct Shown {
        var position: Int
        var record: ObjectRecord
        var score: ScoredObject
    }

    private func mostUnusual(_ journal: ObjectJournal, _ scores: [ScoredObject]) throws(PipelineError) -> [Shown] {
        var shown: [Shown] = []
        let records = try journal.reader()
        var (row, position) = (0, 0)
        while let record = try records.next() {
            defer { position += 1 }
            guard record.failure == nil else { continue }
            if (1...settings.count).contains(scores[row].rank) {
                shown.append(Shown(position: position, record: record, score: scores[row]))
            }
            row += 1
        }
        return shown.sorted { $0.score.rank < $1.score.rank }
    }

    private func cell(_ object: Shown) -> ContactSheet.Cell {
        let black = RGBImage(
            width: settings.thumbnail, height: settings.thumbnail,
            samples: [UInt8](repeating: 0, count: 3 * settings.thumbnail * settings.thumbnail))
        // A file may have gone since it was read: the sheet shows a black square then, the tables stand.
        let picture = (try? reader.picture(of: objects[object.position])) ?? black
        var caption = [object.record.id, String(format: "score %.2f", object.score.score)]
        if let ra = object.record.ra, let dec = object.record.dec {
            caption.append(String(format: "%.4f %+.4f", ra, dec))
        }
        return ContactSheet.Cell(picture: picture, badge: String(object.score.rank), caption: caption)
    }
}
