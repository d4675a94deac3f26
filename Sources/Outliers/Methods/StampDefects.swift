public import AstroIO
public import Datasets

/// Stamps that are never ranked: a defect of the image would be presented as a discovery.
public enum StampDefects {
    /// Flags of images without content, which say nothing about their objects.
    public static let withoutContent: QualityFlags = [.blankImage, .zeroRange, .allMasked, .lowCoverage]

    /// Flags of all stamps that are not ranked.
    public static let flags: QualityFlags = withoutContent.union([.saturated, .nonFiniteEmbedding])

    /// Share of the pixels of a channel that have the highest value, above which a stamp counts as saturated.
    static let plateauShare = 0.2

    /// The stamp's flags, with those that only its pixels tell: ``QualityFlags/saturated`` where more than a fifth of a channel has
    /// the highest value, which the image's mask need not say.
    public static func flags(of stamp: Stamp, channels: Int) -> QualityFlags {
        var flags = stamp.flags
        let count = stamp.values.count / max(channels, 1)
        for start in stride(from: 0, to: count * channels, by: max(count, 1)) {
            let channel = stamp.values[start..<(start + count)]
            guard let high = channel.max(), let low = channel.min(), high > low else { continue }
            let limit = high - 1e-4 * (high - low)
            if Double(channel.count { $0 >= limit }) > plateauShare * Double(count) { flags.insert(.saturated) }
        }
        return flags
    }
}
