public import AstroIO
public import Models

/// What a morphology model said, as columns of a catalog.
///
/// Classes: `class`, `class_probability` and `{class}_probability`. Labels: `{label}_probability`. Trees, by the names of the Galaxy
/// Zoo catalogs: `{question}_{answer}_fraction`, `…_fraction_std`, `…_dirichlet`, and `{question}_parent`.
public enum MorphologyTable {
    /// - Parameter answers: of each row.
    public static func columns(_ target: MorphologyTarget, _ answers: [MorphologyAnswer]) -> [Column] {
        func floats(_ value: (MorphologyAnswer) -> Double) -> ColumnValues { .float(answers.map { Float(value($0)) }) }
        switch target {
        case .classes(let names):
            var columns = [
                Column(
                    "class", .string(answers.map { names[best($0.values[...])] }), ucd: "src.morph.type",
                    description: "The most probable class"),
                Column(
                    "class_probability", floats { $0.values.max() ?? .nan },
                    description: "Calibrated probability of that class"),
            ]
            for (place, name) in names.enumerated() {
                columns.append(
                    Column(
                        "\(name)_probability", floats { $0.values[place] },
                        description: "Calibrated probability that the class is \(name)"))
            }
            return columns
        case .labels(let names):
            return names.enumerated().map { place, name in
                Column(
                    "\(name)_probability", floats { $0.values[place] },
                    description: "Calibrated probability of \(name), or its expected strength (0 to 1)")
            }
        case .tree(let tree):
            var columns = [
                Column(
                    "morphology", .string(answers.map { path(tree, $0) }), ucd: "src.morph.type",
                    description: "The most expected answers, from question to question")
            ]
            for (question, range) in tree.answerRanges.enumerated() {
                let name = tree.questions[question].name
                columns.append(
                    Column(
                        "\(name)_parent", floats { $0.parents[question] },
                        description: parentText(tree.questions[question])))
                for (place, answer) in zip(range, tree.questions[question].answers) {
                    let stem = "\(name)_\(answer.name)"
                    columns += [
                        Column(
                            "\(stem)_fraction", floats { $0.values[place] },
                            description: "Expected fraction of the volunteers asked '\(name)' who say '\(answer.name)'"),
                        Column(
                            "\(stem)_fraction_std", floats { $0.deviations[place] }, ucd: "stat.stdev",
                            description: "Standard deviation of that fraction under the Dirichlet distribution"),
                        Column(
                            "\(stem)_dirichlet", floats { $0.concentrations[place] },
                            description: "Concentration of the Dirichlet distribution of vote fractions"),
                    ]
                }
            }
            return columns
        }
    }

    /// A few words that say what an object is, and how sure that is.
    public static func summary(_ target: MorphologyTarget, _ answer: MorphologyAnswer) -> (
        text: String, certainty: Double
    ) {
        switch target {
        case .classes(let names):
            let place = best(answer.values[...])
            return (names[place], answer.values[place])
        case .labels(let names):
            let place = best(answer.values[...])
            return (names[place], answer.values[place])
        case .tree(let tree):
            let first = tree.answerRanges[0]
            return (path(tree, answer), answer.values[first].max() ?? 0)
        }
    }

    private static func parentText(_ question: DecisionTree.Question) -> String {
        guard let parent = question.parent else {
            return "Share of volunteers expected to be asked '\(question.name)': all"
        }
        return
            "Share of volunteers expected to be asked '\(question.name)', after '\(parent.answer)' to '\(parent.question)';"
            + " its answers mean little where this is below 0.5"
    }

    /// The most expected answers of the first question and those that follow from it.
    private static func path(_ tree: DecisionTree, _ answer: MorphologyAnswer) -> String {
        var given: [DecisionTree.Parent] = []
        var words: [String] = []
        for (question, range) in zip(tree.questions, tree.answerRanges) {
            // Other questions that everyone is asked are beside the path.
            guard question.parent.map(given.contains) ?? words.isEmpty else { continue }
            let place = best(answer.values[range]) - range.lowerBound
            let name = question.answers[place].name
            given.append(DecisionTree.Parent(question.name, name))
            words.append(["yes", "no"].contains(name) ? "\(question.name)=\(name)" : name)
        }
        return words.joined(separator: "; ")
    }

    private static func best(_ values: ArraySlice<Double>) -> Int {
        values.indices.max { values[$0] < values[$1] } ?? values.startIndex
    }
}
