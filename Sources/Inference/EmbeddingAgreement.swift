/// How well embeddings agree with those of the same objects computed more exactly.
public struct EmbeddingAgreement: Sendable, Codable, Hashable {
    /// Objects compared.
    public var objects: Int
    /// Cosine of the angle between an embedding and its reference: mean and smallest over the objects.
    public var meanCosine: Double
    public var minimumCosine: Double
    /// The same after the mean of the references was subtracted from both: what all objects have in common says nothing
    /// about their differences, and would hide an error in them.
    public var meanCentredCosine: Double
    public var minimumCentredCosine: Double

    /// Compares two sets of embeddings, each objects × width.
    public init(_ embeddings: [Float], reference: [Float], width: Int) {
        precondition(
            width > 0 && !reference.isEmpty && embeddings.count == reference.count && reference.count % width == 0,
            "[EmbeddingAgreement] expected as many embeddings of width \(width) as references, got \(embeddings.count) and \(reference.count) numbers"
        )
        let objects = reference.count / width
        var mean = [Double](repeating: 0, count: width)
        for (index, value) in reference.enumerated() { mean[index % width] += Double(value) / Double(objects) }
        func cosines(less offset: [Double]) -> [Double] {
            (0..<objects).map { object in
                var (dot, a, b) = (0.0, 0.0, 0.0)
                for column in 0..<width {
                    let x = Double(embeddings[object * width + column]) - offset[column]
                    let y = Double(reference[object * width + column]) - offset[column]
                    dot += x * y
                    a += x * x
                    b += y * y
                }
                return a > 0 && b > 0 ? dot / (a * b).squareRoot() : (a == b ? 1 : 0)
            }
        }
        self.objects = objects
        let plain = cosines(less: [Double](repeating: 0, count: width))
        let centred = cosines(less: mean)
        meanCosine = plain.reduce(0, +) / Double(objects)
        minimumCosine = plain.min()!
        meanCentredCosine = objects > 1 ? centred.reduce(0, +) / Double(objects) : meanCosine
        minimumCentredCosine = objects > 1 ? centred.min()! : minimumCosine
    }
}
