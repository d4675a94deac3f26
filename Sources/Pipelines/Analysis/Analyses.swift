/// The stages of a run that analyse one object at a time, in the order of the run file.
enum Analyses {
    /// - Throws: `PipelineError` for a model that cannot be used.
    static func all(
        of specification: PipelineSpecification, folder: RunFolder
    ) throws(PipelineError) -> [any ObjectAnalysis] {
        var analyses: [any ObjectAnalysis] = []
        if let stage = specification.stage(.classify) { analyses.append(try ClassifyStage(ClassifySettings(stage))) }
        if let stage = specification.stage(.measure) { analyses.append(try MeasureStage(MeasureSettings(stage))) }
        if let stage = specification.stage(.detect) {
            analyses.append(try DetectStage(DetectSettings(stage), folder: folder))
        }
        if let stage = specification.stage(.restore) {
            analyses.append(try RestoreStage(RestoreSettings(stage), folder: folder))
        }
        return analyses
    }
}
