/// How well people agree beyond what chance would give.
public enum Agreement {
    /// Cohen's kappa of two raters who judged the same objects (Cohen 1960, doi:10.1177/001316446002000104).
    ///
    /// - Returns: 1 for perfect agreement, 0 for chance; NaN without objects, or where both always say the same one thing.
    public static func cohen<Label: Hashable>(_ first: [Label], _ second: [Label]) -> Double {
        precondition(first.count == second.count, "[Agreement] expected the same objects from both raters")
        let n = Double(first.count)
        var (a, b): ([Label: Double], [Label: Double]) = ([:], [:])
        for label in first { a[label, default: 0] += 1 }
        for label in second { b[label, default: 0] += 1 }
        let observed = Double(zip(first, second).count { $0 == $1 }) / n
        let expected = a.reduce(0) { $0 + $1.value * (b[$1.key] ?? 0) } / (n * n)
        return (observed - expected) / (1 - expected)
    }

    /// Fleiss' kappa (Fleiss 1971, doi:10.1037/h0031619), for objects that may have different numbers of raters: the
    /// agreement on an object is that among its pairs, and the mean is over objects.
    ///
    /// - Parameter counts: for each object how many raters chose each category; those with fewer than two raters are left out.
    /// - Returns: NaN without objects, or where only one category occurs.
    public static func fleiss(_ counts: [[Int]]) -> Double {
        let rated = counts.filter { $0.reduce(0, +) > 1 }
        guard let categories = rated.first?.count else { return .nan }
        precondition(rated.allSatisfy { $0.count == categories }, "[Agreement] expected the same categories everywhere")
        var shares = [Double](repeating: 0, count: categories)
        var agreement = 0.0
        var total = 0.0
        for row in rated {
            let n = Double(row.reduce(0, +))
            agreement += row.reduce(0.0) { $0 + Double($1 * ($1 - 1)) } / (n * (n - 1))
            for (category, count) in row.enumerated() { shares[category] += Double(count) }
            total += n
        }
        let observed = agreement / Double(rated.count)
        let expected = shares.reduce(0) { $0 + ($1 / total) * ($1 / total) }
        return (observed - expected) / (1 - expected)
    }
}
