/// What a simulated source is.
public enum SourceKind: String, Sendable, CaseIterable, Codable {
    case star
    /// One Sérsic profile, n of 2 to 6.
    case elliptical
    /// A bulge in an exponential disc, or a disc alone, without structure.
    case disc
    case spiral
    case barredSpiral = "barred_spiral"
    case edgeOn = "edge_on"
    case ring
    /// Two galaxies with tidal tails.
    case merger
    /// A galaxy with the arcs of one behind it.
    case lens
    case irregular

    /// Whether it can be told from a smooth profile only where it is well resolved.
    var isStructured: Bool { ![.star, .elliptical, .disc].contains(self) }
}

/// Colours of stars, AB.
enum StellarPopulation {
    case old, disc, young, lensed

    var colours: (gr: Double, rz: Double) {
        switch self {
        case .old: (0.8, 0.6)
        case .disc: (0.55, 0.45)
        case .young: (0.3, 0.2)
        case .lensed: (0.05, 0.0)
        }
    }
}
