public import Tensors

/// One vector an image from the tokens of a backbone: what a head sees.
///
/// Tokens are taken after one or several of the blocks, each time through the backbone's last norm.
public struct MorphologyPooling: Codable, Sendable, Hashable {
    /// What is taken from a set of tokens.
    public enum Statistic: String, Codable, Sendable, CaseIterable {
        case classToken
        /// Mean over patches.
        case mean
        /// Standard deviation over patches.
        case deviation
    }

    /// Numbers of blocks after which tokens are taken, rising; the last is the depth of the network.
    public var layers: [Int]
    public var statistics: [Statistic]

    public init(layers: [Int], statistics: [Statistic]) {
        self.layers = layers
        self.statistics = statistics
    }

    /// Class token and mean after the last block: for networks that are trained as a whole.
    public static func last(of backbone: VisionTransformer) -> MorphologyPooling {
        MorphologyPooling(layers: [backbone.blocks.count], statistics: [.classToken, .mean])
    }

    /// All statistics after the last block: for heads on a frozen backbone. Inner blocks added nothing on Galaxy Zoo 2.
    public static func frozen(of backbone: VisionTransformer) -> MorphologyPooling {
        MorphologyPooling(layers: [backbone.blocks.count], statistics: Statistic.allCases)
    }

    /// Numbers in the vector.
    public func width(tokenWidth: Int) -> Int { layers.count * statistics.count * tokenWidth }

    /// The vectors of images, (B, width) in float32.
    ///
    /// - Parameter images: (B, C, H, W), normalised.
    public func features(of images: Tensor, _ backbone: VisionTransformer, _ execution: Execution) -> Tensor {
        let parts = layers.flatMap { layer in
            var part = backbone
            part.blocks = Array(backbone.blocks[..<layer])
            return statistics(of: part(images, execution), prefix: backbone.configuration.prefixCount)
        }
        return Tensor.concat(parts, axis: 1)
    }

    private func statistics(of tokens: Tensor, prefix: Int) -> [Tensor] {
        let patches = tokens.slice(axis: 1, prefix..<tokens.shape[1])
        let mean = patches.mean(axes: [1])
        return statistics.map { statistic in
            switch statistic {
            case .classToken: return tokens.slice(axis: 1, 0..<1).reshape([tokens.shape[0], tokens.shape[2]])
            case .mean: return mean
            case .deviation:
                // From the deviations themselves: the difference of two large means would lose digits.
                let centred = patches - mean.reshape([tokens.shape[0], 1, tokens.shape[2]])
                return (centred.square().mean(axes: [1]) + 1e-8).sqrt()
            }
        }
    }
}
