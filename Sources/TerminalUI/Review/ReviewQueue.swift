/// One person's review: which objects come, and where the answers go.
///
/// Every method that stores something returns only when it is safe against a power cut, and throws with nothing stored otherwise.
public protocol ReviewQueue: Sendable {
    var questions: ReviewQuestions { get }
    /// The next objects that this person has not done, for nobody else as long as this review lasts; those given out before and not
    /// done included.
    func upcoming(_ count: Int) throws -> [ReviewItem]
    func answer(_ id: String, question: String, answer: String, seconds: Double) throws
    /// Takes the person's latest decision back.
    /// - Returns: what it was about; nil when there is none.
    func undo() throws -> ReviewUndone?
    /// Not now: the object comes no more in this review.
    func skip(_ id: String, seconds: Double) throws
    func flagArtefact(_ id: String, seconds: Double) throws
    func comment(_ id: String, text: String) throws
    /// The first object whose name is this or begins with it.
    func find(_ prefix: String) throws -> ReviewItem?
    func progress() throws -> ReviewProgress
    /// Ends the review: objects that were given out and not done are free for others.
    func release() throws
}

/// A decision that was taken back.
public struct ReviewUndone: Sendable, Equatable {
    public enum What: Sendable, Equatable {
        /// The answer to a question.
        case answer(question: String)
        case skip, artefact, comment
    }

    public var id: String
    public var what: What

    public init(id: String, what: What) {
        self.id = id
        self.what = what
    }
}

/// How far a queue is.
public struct ReviewProgress: Sendable, Equatable {
    /// Objects done by anybody.
    public var done: Int
    public var total: Int

    public init(done: Int, total: Int) {
        self.done = done
        self.total = total
    }
}
