/// How far apart two embeddings are.
public enum DistanceMetric: String, Sendable, CaseIterable, Codable {
    /// |a − b|
    case euclidean
    /// 1 − a·b / (|a| |b|), in [0, 2]; 1 where one of them is the zero vector.
    case cosine
}
