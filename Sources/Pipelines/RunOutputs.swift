import AstroIO
import Foundation
import Inference

/// The tables of a run, written block by block from its journal.
struct RunOutputs {
    let folder: RunFolder
    let journal: ObjectJournal
    /// In the order of the objects that have an embedding; nil for a run without scores.
    let scores: [ScoredObject]?
    /// Columns that analysing stages added.
    var analyses: [ColumnDescription] = []

    /// Writes the catalog as FITS, and in the other forms asked for from that.
    func writeCatalog(_ formats: [String]) throws(PipelineError) {
        let columns = ObjectTable.catalogColumns(scored: scores != nil, analyses: analyses)
        let path = folder.file("catalog.fits")
        let metadata = [
            CatalogMetadata("CREATOR", "lenticular \(ProgramVersion.current)")
        ]
        try table { () throws(CatalogError) in
            var appender = try FITSTableAppender(path, name: "OBJECTS", columns: columns, metadata: metadata)
            var first = 0
            try forEachBlock { records throws(CatalogError) in
                let own = scores.map { Array($0[first..<first + records.count]) }
                try appender.append(try ObjectTable.catalogBlock(records, scores: own, analyses: analyses))
                first += records.count
            }
            try appender.finish()
        }
        for format in formats {
            switch format {
            case "ecsv", "csv":
                try table { () throws(CatalogError) in
                    var reader = try FITSTableReader(path)
                    var writer = try TextTableWriter(
                        folder.file("catalog." + format), format: format == "ecsv" ? .ecsv : .csv, name: "OBJECTS",
                        columns: columns, metadata: metadata)
                    while let block = try reader.next(rows: ObjectTable.blockSize) { try writer.append(block) }
                    try writer.finish()
                }
            case "votable":
                try table { () throws(CatalogError) in try Catalog.read(path).write(to: folder.file("catalog.vot")) }
            default: break
            }
        }
        if !formats.contains("fits") { unlink(path) }
    }

    func writeEmbeddings() throws(PipelineError) {
        let matrix = try journal.embeddingMatrix()
        try table { () throws(CatalogError) in
            var appender = try FITSTableAppender(
                folder.embeddings, name: "EMBEDDINGS", columns: ObjectTable.embeddingColumns(width: matrix.width),
                metadata: [CatalogMetadata("CREATOR", "lenticular \(ProgramVersion.current)")])
            var first = 0
            try forEachBlock { records throws(CatalogError) in
                let values = matrix.withRows(first..<first + records.count) { Array($0) }
                try appender.append(
                    try ObjectTable.embeddingBlock(records, embeddings: values, width: matrix.width))
                first += records.count
            }
            try appender.finish()
        }
    }

    func writeFailures() throws(PipelineError) {
        try table { () throws(CatalogError) in
            var writer = try TextTableWriter(
                folder.failures, format: .ecsv, name: "FAILURES", columns: ObjectTable.failureColumns)
            try forEachBlock(failed: true) { records throws(CatalogError) in
                try writer.append(try ObjectTable.failureBlock(records))
            }
            try writer.finish()
        }
    }

    /// The journal's objects in blocks: those of the catalog, or those of the failures table.
    private func forEachBlock(
        failed: Bool = false, _ body: ([ObjectRecord]) throws(CatalogError) -> Void
    ) throws(CatalogError) {
        func unreadable(_ error: PipelineError) -> CatalogError {
            CatalogError(.file, path: error.path, error.reason)
        }
        let reader: ObjectJournalReader
        do { reader = try journal.reader() } catch { throw unreadable(error) }
        var block: [ObjectRecord] = []
        while true {
            let record: ObjectRecord?
            do { record = try reader.next() } catch { throw unreadable(error) }
            if let record, failed ? record.failure != nil || record.problems != nil : record.failure == nil {
                block.append(record)
            }
            if block.count == ObjectTable.blockSize || (record == nil && !block.isEmpty) {
                try body(block)
                block.removeAll(keepingCapacity: true)
            }
            if record == nil { return }
        }
    }

    private func table(_ body: () throws(CatalogError) -> Void) throws(PipelineError) {
        do { try body() } catch { throw PipelineError(.output, path: error.path ?? folder.path, error.reason) }
    }
}
