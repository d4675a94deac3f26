public import Models

/// A way to tell unusual stamps: what vector stands for a stamp, and how unusual vectors are found.
///
/// The first three are those of Han et al. 2022 (arXiv 2205.09760): the score is the mean distance to the nearest neighbours, of
/// pixels or of the latent vectors of an auto-encoder that was trained on the stamps themselves.
public enum OutlierMethod: String, Sendable, Codable, CaseIterable {
    /// Neighbours among latent vectors of an auto-encoder with attention.
    case attcae
    /// Neighbours among latent vectors of an auto-encoder without it.
    case cae
    /// Neighbours among the pixels.
    case knn
    /// Neighbours among the embeddings of the pre-trained backbone.
    case backbone
    /// Isolation forest (Liu et al. 2008) on the backbone's embeddings.
    case iforest
    /// Error of the reconstruction from the principal components of the pixels.
    case pca
    /// Mean cosine distance to 10 neighbours among the backbone's embeddings.
    case cosine

    /// What stands for a stamp.
    public enum Space: String, Sendable, Codable {
        case pixels, latent, embedding
    }

    public var space: Space {
        switch self {
        case .attcae, .cae: .latent
        case .knn, .pca: .pixels
        case .backbone, .iforest, .cosine: .embedding
        }
    }

    /// The auto-encoder that the method trains, if it does.
    public var autoencoder: AutoencoderConfiguration.Kind? {
        switch self {
        case .attcae: .attention
        case .cae: .plain
        default: nil
        }
    }

    /// Whether the score is the mean distance to the neighbours.
    public var scoresByNeighbours: Bool { self != .iforest && self != .pca }
}
