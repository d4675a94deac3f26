import Foundation

/// The growth curve of several Sérsic profiles about one centre, along their major axes.
struct CompositeProfile {
    private let radii: [Double]
    private let fractions: [Double]
    private let single: SersicProfile?

    /// - Parameter parts: fluxes, in any unit, and profiles.
    init(_ parts: [(flux: Double, profile: SersicProfile)]) {
        single = parts.count == 1 ? parts[0].profile : nil
        let sizes = parts.map(\.profile.halfLightRadius)
        let (low, high) = ((sizes.min() ?? 1) / 20, (sizes.max() ?? 1) * 20)
        let total = parts.reduce(0) { $0 + $1.flux }
        let radii = (0...48).map { low * pow(high / low, Double($0) / 48) }
        self.radii = radii
        fractions =
            single != nil
            ? [] : radii.map { radius in parts.reduce(0) { $0 + $1.0 * $1.1.fluxFraction(within: radius) } / total }
    }

    /// The radius that holds a fraction of the flux, interpolated in the curve.
    func radius(holding fraction: Double) -> Double {
        if let single { return single.radius(holding: fraction) }
        let above = fractions.firstIndex { $0 >= fraction } ?? radii.count - 1
        guard above > 0 else { return radii[0] }
        let part = (fraction - fractions[above - 1]) / max(1e-12, fractions[above] - fractions[above - 1])
        return radii[above - 1] * pow(radii[above] / radii[above - 1], part)
    }

    /// The index of the one Sérsic profile whose radii that hold 20 % and 80 % of the light have the same ratio, 0.3 … 8.
    var equivalentIndex: Double {
        if let single { return single.index }
        let ratio = radius(holding: 0.8) / radius(holding: 0.2)
        let above = Self.ratios.firstIndex { $0 >= ratio } ?? Self.ratios.count - 1
        guard above > 0 else { return Self.indices[0] }
        let part = min(1, (ratio - Self.ratios[above - 1]) / (Self.ratios[above] - Self.ratios[above - 1]))
        return Self.indices[above - 1] + part * (Self.indices[above] - Self.indices[above - 1])
    }

    private static let indices = (0...77).map { 0.3 + 0.1 * Double($0) }
    private static let ratios = indices.map { index in
        let profile = SersicProfile(index: index, halfLightRadius: 1)
        return profile.radius(holding: 0.8) / profile.radius(holding: 0.2)
    }
}
