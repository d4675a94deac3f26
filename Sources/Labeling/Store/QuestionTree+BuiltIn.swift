extension QuestionTree {
    /// The answer, in any tree, that calls an object a defect of the image.
    public static let artefact = "artefact"

    /// How interesting is it? 0 (dull) … 5 (most interesting), as Astronomaly asks (arXiv 2010.11202), or an artefact.
    public static let outlier = classes(
        "interest", ["0", "1", "2", "3", "4", "5", artefact], keys: ["0", "1", "2", "3", "4", "5", "a"])

    /// Five classes of galaxies, or an artefact.
    public static let class5 = classes(
        "class", ["smooth", "disk", "edge-on", "irregular", "merger", artefact], keys: ["s", "d", "e", "i", "m", "a"])

    /// One question with some classes.
    ///
    /// - Parameter keys: the digits from 1, then letters, by default.
    public static func classes(_ question: String, _ names: [String], keys: [Character]? = nil) -> QuestionTree {
        let keys = keys ?? defaultKeys(names.count)
        precondition(keys.count >= names.count, "[QuestionTree] expected a key a class, got \(names.count) classes")
        let answers = zip(keys, names).map { Answer(key: $0, name: $1) }
        do { return try QuestionTree([Question(name: question, answers: answers)]) } catch {
            preconditionFailure("[QuestionTree] expected different names: \(error)")
        }
    }

    /// Keys for some answers: 1 … 9, then letters that the review does not need itself.
    public static func defaultKeys(_ count: Int) -> [Character] {
        Array("123456789abcdefghijklmnopqrstvwxyz".prefix(max(0, count)))
    }
}
