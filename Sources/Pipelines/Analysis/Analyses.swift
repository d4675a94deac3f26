/// The stages of a run that analyse one object at a time, in the order of the run file.
enum Analyses {
    static func all(
        of specification: PipelineSpecification, folder: RunFolder
    ) throws(PipelineError) -> [any ObjectAnalysis] {
        []
    }
}
