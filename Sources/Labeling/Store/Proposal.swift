/// What a model or a strategy says of an object before a person has looked.
public struct Proposal: Sendable, Equatable {
    public var objectID: String
    public var task: String
    public var question: String
    /// What the model would answer; nil for a strategy without a model.
    public var answer: String?
    /// Of that answer, 0 … 1; nil without a model.
    public var probability: Double?
    /// What the strategy calls uncertainty (entropy in nats, 1 - margin, BALD in nats); nil where it has none.
    public var uncertainty: Double?
    /// What the queue is ordered by, larger first.
    public var score: Double
    /// Why the object is in the queue: `outliers`, `entropy`, `random` …
    public var strategy: String
    public var modelVersion: Int?

    public init(
        objectID: String, task: String, question: String, answer: String? = nil, probability: Double? = nil,
        uncertainty: Double? = nil, score: Double, strategy: String, modelVersion: Int? = nil
    ) {
        self.objectID = objectID
        self.task = task
        self.question = question
        self.answer = answer
        self.probability = probability
        self.uncertainty = uncertainty
        self.score = score
        self.strategy = strategy
        self.modelVersion = modelVersion
    }
}

/// An object in the queue, with what is proposed for it.
public struct QueueEntry: Sendable, Equatable {
    public var object: ReviewObject
    /// One a question, in the order in which they were given; never empty.
    public var proposals: [Proposal]
    /// Place in the queue, 1 for the first.
    public var rank: Int

    public var proposal: Proposal { proposals[0] }

    public func proposal(for question: String) -> Proposal? { proposals.first { $0.question == question } }
}
