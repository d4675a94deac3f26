/// An object that people are asked about.
public struct ReviewObject: Sendable, Equatable {
    /// Unique name, the catalog's `id_str`.
    public var id: String
    /// The file that shows it.
    public var path: String
    /// Position, ICRS degrees; nil where unknown.
    public var ra: Double?
    public var dec: Double?
    /// Row in the run's embeddings, counted from 0; -1 for an object without one.
    public var row: Int
    /// Numbers to show beside the picture, by column name.
    public var metadata: [String: Double]

    public init(
        id: String, path: String, ra: Double? = nil, dec: Double? = nil, row: Int = -1, metadata: [String: Double] = [:]
    ) {
        self.id = id
        self.path = path
        self.ra = ra
        self.dec = dec
        self.row = row
        self.metadata = metadata
    }
}
