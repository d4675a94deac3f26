public import AstroIO
public import Datasets
import Foundation
import Models

/// Joins a table of labels to images.
///
/// Rows that cannot be used are collected with the reason: images that are missing or ambiguous, classes that are not known, votes
/// that are no counts, and rows that contradict each other.
///
/// ```swift
/// let table = try LabelTable(path: "labels.csv")
/// let labels = try table.labels(.classes(column: "class5"), of: FileDiscovery().objects(in: ["images"]))
/// ```
public struct LabelTable: Sendable {
    public let path: String
    public let catalog: Catalog
    private let files: [[String]]
    private let ids: [String?]

    private var folder: String {
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }

    /// - Throws: `CatalogError`; ``TrainingError`` for a table that names no images.
    public init(path: String) throws {
        let catalog = try Catalog.read(path)
        try self.init(catalog, path: path)
    }

    /// - Parameter path: where the table is: relative file names begin from its folder.
    public init(_ catalog: Catalog, path: String) throws(TrainingError) {
        self.path = path
        self.catalog = catalog
        let rows = catalog.rowCount
        let (files, ids) = (catalog.filePaths, catalog.identifiers)
        guard files != nil || ids != nil else {
            throw TrainingError(
                .invalidConfiguration, path: path,
                reason:
                    "has neither a column of file names (\(ColumnRole.file.names.prefix(3).joined(separator: ", ")) …) "
                    + "nor one of ids (\(ColumnRole.identifier.names.prefix(2).joined(separator: ", ")) …)")
        }
        self.files = files ?? [[String]](repeating: [], count: rows)
        self.ids = ids ?? [String?](repeating: nil, count: rows)
    }

    /// The images that the table's file column names, where no others are given.
    ///
    /// - Throws: ``TrainingError`` if it names none.
    public func objects() throws(TrainingError) -> [ObjectFiles] {
        var seen: Set<String> = []
        var objects: [ObjectFiles] = []
        for row in files where !row.isEmpty {
            let paths = row.map { $0.hasPrefix("/") ? $0 : folder + "/" + $0 }
            guard seen.insert(paths.joined(separator: "\n")).inserted,
                paths.allSatisfy({ FileManager.default.fileExists(atPath: $0) })
            else { continue }
            objects.append(FileDiscovery.object(joining: paths))
        }
        guard !objects.isEmpty else {
            throw TrainingError(
                .invalidConfiguration, path: path, reason: "names no image that is there; say where they are")
        }
        return objects
    }

    /// What the table knows of images.
    ///
    /// - Parameters:
    ///   - objects: images; those without a row are left out.
    ///   - splitColumn: a column whose text is kept for each image.
    ///   - minimumPerClass: a class with fewer images is an error.
    /// - Throws: ``TrainingError`` naming the column, class or votes that make training impossible.
    public func labels(
        _ columns: LabelColumns, of objects: [ObjectFiles], splitColumn: String? = nil, minimumPerClass: Int = 3
    ) throws(TrainingError) -> MorphologyLabels {
        let reader = try LabelReader(columns, table: self)
        let split = try splitColumn.map { name throws(TrainingError) in try text(name) }
        let index = ImageIndex(objects, tableFolder: folder)
        var failures: [LabelFailure] = []
        var unlabelled = 0
        var rowsOf: [Int: [(row: Int, value: [Float])]] = [:]
        for row in 0..<catalog.rowCount {
            let name = ids[row] ?? files[row].first ?? ""
            func fail(_ reason: String) { failures.append(LabelFailure(row: row + 1, id: name, reason: reason)) }
            switch reader.value(row) {
            case .missing: unlabelled += 1
            case .bad(let reason): fail(reason)
            case .known(let value):
                switch index.find(files: files[row], id: ids[row]) {
                case .none: fail("no image '\(files[row].first ?? name)' among those given")
                case .several(let number): fail("\(number) images are called so; name their folders")
                case .one(let object): rowsOf[object, default: []].append((row, value))
                }
            }
        }

        var repeated = 0
        var (used, values): ([Int], [Float]) = ([], [])
        var parts: [String?] = []
        for object in rowsOf.keys.sorted() {
            let rows = rowsOf[object]!
            let same = rows.allSatisfy { row in
                zip(row.value, rows[0].value).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
            }
            guard same else {
                let numbers = rows.map { "\($0.row + 1)" }.joined(separator: ", ")
                for (row, _) in rows {
                    failures.append(
                        LabelFailure(
                            row: row + 1, id: ids[row] ?? files[row].first ?? "",
                            reason: "rows \(numbers) say different things about one image"))
                }
                continue
            }
            repeated += rows.count - 1
            used.append(object)
            values += rows[0].value
            parts.append(split?[rows[0].row])
        }
        failures.sort { $0.row < $1.row }
        let target = reader.target
        let labels = MorphologyLabels(
            target: target, objects: used.map { objects[$0] }, values: values, parts: parts, failures: failures,
            unlabelledRows: unlabelled, unlabelledImages: objects.count - rowsOf.count, repeatedRows: repeated)
        try check(labels, minimumPerClass: minimumPerClass)
        return labels
    }

    /// The texts of a column.
    func text(_ name: String) throws(TrainingError) -> [String?] {
        guard let values = catalog[name]?.strings else { throw noColumn(name) }
        return values
    }

    func noColumn(_ name: String) -> TrainingError {
        let names = catalog.columns.prefix(40).map(\.name).joined(separator: ", ")
        return TrainingError(
            .invalidConfiguration, path: path,
            reason: "has no column '\(name)'; it has \(names)\(catalog.columns.count > 40 ? " …" : "")")
    }

    private func check(_ labels: MorphologyLabels, minimumPerClass: Int) throws(TrainingError) {
        func failure(_ reason: String) -> TrainingError {
            let first = labels.failures.first.map { "; row \($0.row): \($0.reason)" } ?? ""
            return TrainingError(.invalidConfiguration, path: path, reason: reason + first)
        }
        guard labels.count > 0 else {
            throw failure(
                "no image has a label (\(labels.failures.count) rows failed, \(labels.unlabelledRows) have no label)")
        }
        switch labels.target {
        case .classes(let names):
            guard names.count > 1 else { throw failure("there is only the class '\(names.first ?? "")'; 2 are needed") }
            let poor = zip(names, labels.counts).filter { $0.1 < Double(minimumPerClass) }
            guard poor.isEmpty else {
                let list = poor.map { "'\($0.0)' \(Int($0.1))" }.joined(separator: ", ")
                throw failure(
                    "classes with fewer than \(minimumPerClass) images: \(list); leave them out with --classes, or merge them"
                )
            }
        case .labels(let names):
            for (label, name) in names.enumerated() {
                let known = (0..<labels.count).map { labels.values[$0 * names.count + label] }.filter { !$0.isNaN }
                guard known.count >= minimumPerClass, known.contains(where: { $0 != known[0] }) else {
                    throw failure("'\(name)' has \(known.count) known values, all the same; there is nothing to learn")
                }
            }
        case .tree(let tree):
            for (question, range) in zip(tree.questions, tree.answerRanges) where labels.counts[range].reduce(0, +) == 0
            {
                throw failure("the question '\(question.name)' has no votes; leave it out of the tree")
            }
        }
    }
}
