import AstroIO
import Datasets
import Foundation
import Pipelines

/// A dominant class of images and a rare one: what a benchmark of outliers is made of.
struct OutlierSet: Sendable {
    enum Source: Sendable {
        /// A table below the data folder, and what its rows are.
        case table(String, @Sendable (Row) -> Kind)
        /// Simulated galaxies, and the kind that is rare.
        case simulation(GalaxySimulator.Kind)
    }

    enum Kind: Sendable {
        case inlier, outlier, neither
    }

    /// A row of a table, cells by column.
    struct Row: Sendable {
        fileprivate var texts: [String: String]

        subscript(column: String) -> String { texts[column] ?? "" }
        func number(_ column: String) -> Double { Double(self[column]) ?? .nan }
    }

    let name: String
    let dominant: String
    let rare: String
    let source: Source

    /// The sets of the benchmark. Each rule names the classes of the table that it uses; classes that it does not name are left out.
    static let all: [OutlierSet] = [
        OutlierSet(
            name: "gz1-spirals", dominant: "elliptical", rare: "spirals, Galaxy Zoo 1",
            source: .table("galaxyzoo1/labels.csv") { row in
                row["class"] == "elliptical" ? .inlier : row["class"].hasPrefix("spiral") ? .outlier : .neither
            }),
        OutlierSet(
            name: "gz1-mergers", dominant: "elliptical, spiral and edge-on", rare: "mergers, Galaxy Zoo 1",
            source: .table("galaxyzoo1/labels.csv") { row in
                row["class"] == "merger" ? .outlier : row["class"] == "dont_know" ? .neither : .inlier
            }),
        OutlierSet(
            name: "gz1-unknown", dominant: "elliptical, spiral and edge-on",
            rare: "what people could not name (artefacts, trails, star fields), Galaxy Zoo 1",
            source: .table("galaxyzoo1/labels.csv") { row in
                row["class"] == "dont_know" ? .outlier : row["class"] == "merger" ? .neither : .inlier
            }),
        OutlierSet(
            name: "gz2-edge-on", dominant: "smooth, round and in between", rare: "edge-on, Galaxy Zoo 2",
            source: .table("galaxyzoo2/labels.csv") { row in
                ["smooth_round", "smooth_inbetween"].contains(row["class5"])
                    ? .inlier : row["class5"] == "edge_on" ? .outlier : .neither
            }),
        OutlierSet(
            name: "gz2-odd", dominant: "five clean classes",
            rare: "spirals with something odd (merging, ring, disturbed), Galaxy Zoo 2",
            source: .table("galaxyzoo2/labels.csv") { row in
                row["odd_spiral"] == "1" ? .outlier : row["class5"].isEmpty ? .neither : .inlier
            }),
        efigi("rings", "inner, outer or pseudo-ring of strength 0.5 and more") { row in
            ["Inner_Ring", "Outer_Ring", "Pseudo_Ring"].contains { row.number($0) >= 0.5 }
        },
        efigi("perturbed", "perturbation of 0.75 and more") { $0.number("Perturbation") >= 0.75 },
        efigi("irregular", "irregulars") { $0["family"] == "irregular" },
        OutlierSet(
            name: "euclid-mergers", dominant: "normal", rare: "mergers, Euclid Q1",
            source: .table("euclid_q1/labels.csv") { row in
                row["class"] == "normal" ? .inlier : row["class"] == "merger" ? .outlier : .neither
            }),
        OutlierSet(
            name: "sim-lenses", dominant: "simulated galaxies", rare: "lenses", source: .simulation(.lens)),
        OutlierSet(
            name: "sim-trails", dominant: "simulated galaxies", rare: "trails of satellites",
            source: .simulation(.trail)),
    ]

    /// Early types of EFIGI without rings and perturbation, against something rare.
    private static func efigi(
        _ name: String, _ rare: String, _ isRare: @escaping @Sendable (Row) -> Bool
    ) -> OutlierSet {
        OutlierSet(
            name: "efigi-" + name, dominant: "elliptical and lenticular, undisturbed", rare: rare + ", EFIGI",
            source: .table("efigi/labels.csv") { row in
                if isRare(row) { return .outlier }
                let isQuiet = ["Inner_Ring", "Outer_Ring", "Pseudo_Ring", "Perturbation"].allSatisfy {
                    row.number($0) < 0.5
                }
                return isQuiet && ["elliptical", "lenticular"].contains(row["family"]) ? .inlier : .neither
            })
    }

    /// Objects of a table's set.
    ///
    /// - Throws: `PipelineError` for a data folder without the table.
    func objects(data: String, table: String, _ rule: (Row) -> Kind) throws -> (
        inliers: [ObjectFiles], outliers: [ObjectFiles]
    ) {
        let path = data + "/" + table
        let catalog = try Catalog.read(path)
        guard let files = catalog.filePaths else {
            throw PipelineError(.input, path: path, "names no image files")
        }
        let columns = catalog.columns.map { ($0.name, $0.strings) }
        let folder = (path as NSString).deletingLastPathComponent
        var result: (inliers: [ObjectFiles], outliers: [ObjectFiles]) = ([], [])
        for row in 0..<catalog.rowCount {
            var texts: [String: String] = [:]
            for (name, cells) in columns { if let text = cells?[row] { texts[name] = text } }
            let object = FileDiscovery.object(joining: files[row].map { folder + "/" + $0 })
            switch rule(Row(texts: texts)) {
            case .inlier: result.inliers.append(object)
            case .outlier: result.outliers.append(object)
            case .neither: break
            }
        }
        return result
    }
}
