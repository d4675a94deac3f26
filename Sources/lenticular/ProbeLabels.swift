import ArgumentParser
import AstroIO
import Datasets
import Foundation

/// Classes of images, from a CSV, ECSV, FITS or VOTable with a column of file names or ids.
struct ProbeLabels {
    private let classOf: [String: String]
    private let path: String
    private let column: String

    init(path: String, column: String) throws {
        let table = try Catalog.read(path)
        guard let values = table[column]?.strings else {
            throw ValidationError(
                "\(path) has no column '\(column)', only \(table.columns.map(\.name).joined(separator: ", "))")
        }
        guard let names = (table.fileColumn ?? table.idColumn)?.strings else {
            throw ValidationError("\(path) has no column of file names or ids")
        }
        var result: [String: String] = [:]
        for (name, value) in zip(names, values) {
            if let name, let value, !value.isEmpty { result[Self.stem(name)] = value }
        }
        classOf = result
        self.path = path
        self.column = column
    }

    /// The objects that have a class, with the number of their class, and the classes in alphabetical order.
    ///
    /// - Throws: `ValidationError` if there are fewer than two classes.
    func labelled(_ objects: [ObjectFiles]) throws -> (objects: [ObjectFiles], labels: [Int], names: [String]) {
        let chosen = objects.filter { classOf[Self.stem($0.paths[0])] != nil }
        let classes = chosen.map { classOf[Self.stem($0.paths[0])]! }
        let names = Set(classes).sorted()
        guard names.count > 1 else {
            throw ValidationError(
                "\(path): \(chosen.count) images have a label in column '\(column)', of \(names.count) classes; at least 2 are needed"
            )
        }
        return (chosen, classes.map { names.firstIndex(of: $0)! }, names)
    }

    /// The name that ties an image to its row: the file's name without folder and ending.
    private static func stem(_ path: String) -> String {
        ((path as NSString).lastPathComponent as NSString).deletingPathExtension
    }
}
