#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Linear warm-up followed by a half cosine (arXiv 1608.03983 without restarts).
public struct LearningRateSchedule: Sendable, Codable, Hashable {
    /// The rate at the end of the warm-up.
    public var peak: Float
    /// The rate at the last step.
    public var final: Float
    public var warmupSteps: Int
    public var totalSteps: Int

    public init(peak: Float, final: Float = 0, warmupSteps: Int, totalSteps: Int) {
        self.peak = peak
        self.final = final
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The learning rate of a step, 1, 2, … totalSteps.
    public func rate(atStep step: Int) -> Float {
        if step <= warmupSteps { return peak * Float(step) / Float(warmupSteps) }
        let share = min(1, Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps)))
        return final + (peak - final) * Float(0.5 * (1 + cos(.pi * share)))
    }
}
