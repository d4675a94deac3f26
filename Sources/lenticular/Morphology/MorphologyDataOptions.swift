import ArgumentParser
import Datasets
import Foundation
import Inference
import Models
import Pipelines
import Tensors
import Training

/// Where images, labels and backbone of a morphology training come from.
struct MorphologyDataOptions: ParsableArguments {
    @Option(
        parsing: .upToNextOption,
        help: "Folders and files with the images; by default those that the table of labels names.")
    var images: [String] = []

    @Option(help: "Table with the labels.")
    var labels: String

    @Option(help: "Column with the name of the class; rows without one are left out.")
    var column: String?

    @Option(help: ArgumentHelp("Columns with values between 0 and 1; others count as not known.", valueName: "a,b,…"))
    var multilabel: String?

    @Option(help: "Decision tree whose votes the table has: desi, gz2, or a YAML file.")
    var tree: String?

    @Option(help: "What stands behind the questions' names in the columns, such as dr5.")
    var campaign: String?

    @Option(help: ArgumentHelp("The classes to use; all that occur by default.", valueName: "a,b,…"))
    var classes: String?

    @Option(parsing: .singleValue, help: ArgumentHelp("One class made of several.", valueName: "class=a+b"))
    var merge: [String] = []

    @Option(help: "Backbone by name, or a .safetensors file.")
    var backbone = "default"

    @Option(
        help:
            "What of an image is seen: a fraction of the shorter side (0.7), pixels (128px) or arcsec (20arcsec); as in pre-training by default."
    )
    var crop: StampNormalization.Crop?

    @Option(help: "Folder where vectors of frozen backbones are kept; the user's cache by default.")
    var cache: String?

    @Flag(help: "Keep no vectors.")
    var noCache = false

    func validate() throws {
        let kinds = [column, multilabel, tree].compactMap { $0 }.count
        if kinds != 1 { throw ValidationError("say one of --column, --multilabel and --tree") }
        if column == nil && (classes != nil || !merge.isEmpty) {
            throw ValidationError("--classes and --merge need --column")
        }
        for text in merge where text.split(separator: "=").count != 2 {
            throw ValidationError("--merge \(text): expected class=a+b")
        }
    }

    /// How the table is to be read.
    func labelColumns() throws -> LabelColumns {
        func list(_ text: String) -> [String] {
            text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        if let multilabel { return .labels(list(multilabel)) }
        if let tree { return .tree(try DecisionTreeFile.tree(named: tree), campaign: campaign) }
        var merged: [String: String] = [:]
        for text in merge {
            let sides = text.split(separator: "=").map(String.init)
            for part in sides[1].split(separator: "+") { merged[String(part)] = sides[0] }
        }
        return .classes(column: column!, classes: classes.map(list) ?? [], merged: merged)
    }

    /// Where vectors are kept; nil for nowhere.
    var cacheFolder: String? {
        if noCache { return nil }
        if let cache { return cache }
        let environment = ProcessInfo.processInfo.environment
        let root = environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache"
        return root + "/lenticular/features"
    }

    /// Reads table and backbone and finds the images.
    func session(
        precision: Precision, workers: Int, splitColumn: String?, minimumPerClass: Int, quiet: Bool
    ) throws -> MorphologySession {
        let columns = try labelColumns()
        let table = try LabelTable(path: labels)
        let objects = images.isEmpty ? try table.objects() : try FileDiscovery(groupsBands: false).objects(in: images)
        let labels = try table.labels(
            columns, of: objects, splitColumn: splitColumn, minimumPerClass: minimumPerClass)
        let path = try InstalledFiles.model(named: backbone)
        return MorphologySession(
            labels: labels, backbone: try MorphologyBackbone(path: path, crop: crop, precision: precision),
            backboneName: backbone, backboneDigest: try Digest.ofFile(path), cacheFolder: cacheFolder, workers: workers,
            quiet: quiet)
    }
}
