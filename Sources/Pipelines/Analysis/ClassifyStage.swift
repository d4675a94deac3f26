import AstroIO
import Datasets
import Inference
import Models

/// Which morphology model, and how it computes.
package struct ClassifySettings {
    package static let settings = [
        Setting(
            "model", .text("morphology-class5"),
            help: "A morphology model by name, or a .safetensors file that train morphology wrote.")
    ]

    package let model: String

    package init(_ stage: PipelineSpecification.Stage) { model = stage.text("model") }
}

/// The answers of a morphology model.
struct ClassifyStage: ObjectAnalysis {
    let stage = StageKind.classify
    let columns: [ColumnDescription]
    let modelPaths: [String]
    private let classifier: MorphologyClassifier
    private let reader: StampReader

    init(_ settings: ClassifySettings) throws(PipelineError) {
        let path = try InstalledFiles.model(named: settings.model)
        do {
            classifier = try MorphologyClassifier(path: path) { name in
                let backbone = try InstalledFiles.model(named: name)
                return (backbone, try Digest.ofFile(backbone))
            }
        } catch let error as PipelineError {
            throw error
        } catch { throw PipelineError(.model, path: path, "\(error)") }
        modelPaths = [path]
        reader = StampReader(normalization: classifier.backbone.normalization)
        columns = MorphologyTable.columns(classifier.target, []).map(\.schema)
    }

    func values(of object: AnalysedObject) throws -> [AnalysisValue] {
        let stamp =
            object.normalization == reader.normalization
            ? object.stamp : try reader.stamp(of: object.image, object.files)
        let answers = classifier.answers(stamp.values)
        return MorphologyTable.columns(classifier.target, answers).map { AnalysisValue($0.values, row: 0) }
    }
}
