/// A decision tree of questions that volunteers answered about an image, as Galaxy Zoo asks them.
///
/// Column names in catalogs are `{question}_{answer}`; a file may call its columns otherwise, and then the answer lists those names.
public struct DecisionTree: Codable, Sendable, Hashable {
    /// One possible answer.
    public struct Answer: Codable, Sendable, Hashable {
        public var name: String
        /// Other names of the column with its votes.
        public var columns: [String]

        public init(_ name: String, columns: [String] = []) {
            self.name = name
            self.columns = columns
        }
    }

    /// The answer after which a question is asked.
    public struct Parent: Codable, Sendable, Hashable {
        public var question: String
        public var answer: String

        public init(_ question: String, _ answer: String) {
            self.question = question
            self.answer = answer
        }
    }

    /// One question.
    public struct Question: Codable, Sendable, Hashable {
        public var name: String
        public var answers: [Answer]
        /// nil for a question that everyone is asked.
        public var parent: Parent?

        public init(_ name: String, _ answers: [Answer], parent: Parent? = nil) {
            self.name = name
            self.answers = answers
            self.parent = parent
        }
    }

    public var name: String
    /// Parents before their children.
    public var questions: [Question]

    /// - Throws: ``ModelError`` (`invalidConfiguration`) for a tree that names unknown parents, repeats names or has questions
    ///   with fewer than two answers.
    public init(name: String, questions: [Question]) throws(ModelError) {
        self.name = name
        self.questions = questions
        try validate()
    }

    /// Number of answers of all questions.
    public var answerCount: Int { questions.reduce(0) { $0 + $1.answers.count } }

    /// For each question the places of its answers in a list of all answers.
    public var answerRanges: [Range<Int>] {
        var start = 0
        return questions.map { question in
            defer { start += question.answers.count }
            return start..<(start + question.answers.count)
        }
    }

    /// For each question the place of the answer that leads to it, in a list of all answers; nil at the root.
    public var parentPlaces: [Int?] {
        let ranges = answerRanges
        return questions.map { question in
            guard let parent = question.parent,
                let index = questions.firstIndex(where: { $0.name == parent.question }),
                let answer = questions[index].answers.firstIndex(where: { $0.name == parent.answer })
            else { return nil }
            return ranges[index].lowerBound + answer
        }
    }

    private func validate() throws(ModelError) {
        func check(_ condition: Bool, _ reason: String) throws(ModelError) {
            guard condition else {
                throw ModelError(.invalidConfiguration, reason: "decision tree '\(name)': \(reason)")
            }
        }
        try check(!questions.isEmpty, "there are no questions")
        var known: Set<String> = []
        var answers: Set<Parent> = []
        for question in questions {
            try check(!question.name.isEmpty, "a question has no name")
            try check(known.insert(question.name).inserted, "the question '\(question.name)' occurs twice")
            try check(
                question.answers.count > 1, "'\(question.name)' has \(question.answers.count) answers, 2 are needed")
            if let parent = question.parent {
                try check(
                    answers.contains(parent),
                    "'\(question.name)' follows the answer '\(parent.answer)' of '\(parent.question)', which no earlier question has"
                )
            }
            for answer in question.answers {
                try check(!answer.name.isEmpty, "'\(question.name)' has an answer without a name")
                try check(
                    answers.insert(Parent(question.name, answer.name)).inserted,
                    "'\(question.name)' has the answer '\(answer.name)' twice")
            }
        }
    }
}
