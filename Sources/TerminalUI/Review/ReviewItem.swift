/// An object to look at, with what is known of it.
public struct ReviewItem: Sendable, Equatable {
    public var id: String
    /// The image files: one, or one a band.
    public var files: [String]
    /// ICRS, degrees.
    public var ra: Double?
    public var dec: Double?
    /// What else the catalog says, in the order in which it is shown.
    public var metadata: [Field]
    /// What the model answers, by question.
    public var predictions: [String: [Prediction]]
    /// Why the object is in the queue.
    public var reason: String?

    /// A named value.
    public struct Field: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// An answer's probability.
    public struct Prediction: Sendable, Equatable {
        public var answer: String
        public var probability: Double

        public init(answer: String, probability: Double) {
            self.answer = answer
            self.probability = probability
        }
    }

    public init(
        id: String, files: [String], ra: Double? = nil, dec: Double? = nil, metadata: [Field] = [],
        predictions: [String: [Prediction]] = [:], reason: String? = nil
    ) {
        self.id = id
        self.files = files
        self.ra = ra
        self.dec = dec
        self.metadata = metadata
        self.predictions = predictions
        self.reason = reason
    }

    /// What the model would answer.
    public func prediction(for question: String) -> Prediction? {
        predictions[question]?.max { $0.probability < $1.probability }
    }
}

/// An object like another one.
public struct ReviewNeighbour: Sendable, Equatable {
    public var id: String
    public var files: [String]
    public var distance: Double

    public init(id: String, files: [String], distance: Double) {
        self.id = id
        self.files = files
        self.distance = distance
    }
}
