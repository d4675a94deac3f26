import Foundation
import Tensors

/// Reconstruction from the first principal components: vectors that they describe badly are unusual.
///
/// The components are the leading eigenvectors of the covariance matrix, found by subspace iteration with Rayleigh–Ritz
/// projections (Saad, "Numerical Methods for Large Eigenvalue Problems", algorithm 5.3) on a few more vectors than asked for.
/// The matrix is only ever multiplied, block by block, so that images of thousands of pixels can be vectors.
public struct PrincipalComponents: StoredScorer {
    public let name = "pca"
    /// (width)
    public let mean: [Float]
    /// Row-major, (count, width), of length 1 and perpendicular; the most important first.
    public let components: [Float]
    /// Variance along each component (divided by n − 1), and of the vectors in all.
    public let variances: [Double]
    public let totalVariance: Double

    /// Numbers a vector.
    public var width: Int { mean.count }
    /// Number of components.
    public var count: Int { variances.count }
    /// Share of the variance along each component.
    public var explainedVarianceRatio: [Double] { variances.map { totalVariance > 0 ? $0 / totalVariance : 0 } }

    /// Rows multiplied at once.
    private static let block = 4096
    /// Directions beyond those asked for: convergence goes with the ratio of the eigenvalues behind them and of the last.
    private static let surplus = 10
    private static let mostIterations = 60

    /// Vectors with a number that is not finite are left out.
    ///
    /// - Parameter components: fewer where width or number of vectors allow no more.
    public init(
        fitting vectors: VectorSet, components: Int, seed: UInt64 = 1,
        workers: Int = ProcessInfo.processInfo.activeProcessorCount
    ) throws(OutlierError) {
        guard components > 0 else { throw OutlierError(.invalidSetting, "expected at least one component") }
        let usable = vectors.finiteRows()
        guard usable.count > 1 else {
            throw OutlierError(.tooFewVectors, "principal components need 2 finite vectors, got \(usable.count)")
        }
        let width = vectors.width
        var sums = [Double](repeating: 0, count: width)
        for row in usable {
            vectors.withRows(row..<row + 1) { for i in 0..<width { sums[i] += Double($0[i]) } }
        }
        let mean = sums.map { Float($0 / Double(usable.count)) }
        var total = 0.0
        for row in usable {
            vectors.withRows(row..<row + 1) {
                for i in 0..<width { total += (Double($0[i]) - Double(mean[i])) * (Double($0[i]) - Double(mean[i])) }
            }
        }
        let kept = min(components, width, usable.count - 1)
        let basis = min(kept + Self.surplus, width)
        let backend = CPUBackend(threads: workers)
        let covariance = Covariance(vectors, rows: usable, mean: mean, block: Self.block, backend: backend)
        var random = RandomNumbers(seed: seed)
        var directions = Orthonormal.rows((0..<basis * width).map { _ in Double(random.normal()) }, width: width)
        var values: [Double] = []
        for _ in 0..<Self.mostIterations {
            let images = covariance.applied(to: directions, count: basis)
            var projected = [Double](repeating: 0, count: basis * basis)
            for i in 0..<basis {
                for j in 0...i {
                    var sum = 0.0
                    for c in 0..<width { sum += directions[i * width + c] * images[j * width + c] }
                    projected[i * basis + j] = sum
                    projected[j * basis + i] = sum
                }
            }
            let (ritz, rotation) = SymmetricEigenvalues.jacobi(projected, size: basis)
            let settled =
                !values.isEmpty && zip(ritz, values).prefix(kept).allSatisfy { abs($0 - $1) <= 1e-7 * ritz[0] }
            values = ritz
            // What the covariance makes of the rotated directions is closer to its leading eigenvectors.
            directions = Orthonormal.rows(
                Self.rotated(settled ? directions : images, by: rotation, basis, width), width: width)
            if settled { break }
        }
        self.mean = mean
        self.components = directions.prefix(kept * width).map(Float.init)
        variances = values.prefix(kept).map { max(0, $0) }
        totalVariance = total / Double(usable.count - 1)
    }

    /// Row i of the result is Σ rotation[j, i] · row j.
    private static func rotated(_ rows: [Double], by rotation: [Double], _ count: Int, _ width: Int) -> [Double] {
        var result = [Double](repeating: 0, count: count * width)
        for i in 0..<count {
            for j in 0..<count {
                let factor = rotation[j * count + i]
                for c in 0..<width { result[i * width + c] += factor * rows[j * width + c] }
            }
        }
        return result
    }

    /// Mean squared difference of a vector's numbers from their reconstruction.
    public func scores(_ vectors: VectorSet) throws -> [Double] {
        try OutlierError.check(width: vectors.width, expected: width)
        let backend = CPUBackend(threads: ProcessInfo.processInfo.activeProcessorCount)
        let basis = Tensor(components, shape: [count, width], on: backend)
        var scores: [Double] = []
        scores.reserveCapacity(vectors.count)
        for start in stride(from: 0, to: vectors.count, by: Self.block) {
            let rows = min(Self.block, vectors.count - start)
            let centred = vectors.withRows(start..<start + rows) { values in
                (0..<rows * width).map { values[$0] - mean[$0 % width] }
            }
            let tensor = Tensor(centred, shape: [rows, width], on: backend)
            let rebuilt = tensor.linear(basis).matmul(basis).floats()
            for row in 0..<rows {
                var sum = 0.0
                for i in (row * width)..<((row + 1) * width) {
                    let difference = Double(centred[i]) - Double(rebuilt[i])
                    sum += difference * difference
                }
                scores.append(sum.isFinite ? sum / Double(width) : .nan)
            }
        }
        return scores
    }

    // MARK: - Files

    public func save(to path: String) throws {
        try ScorerFile.write(
            name,
            [
                ("mean", mean, [width]), ("components", components, [count, width]),
                ("variances", variances.map(Float.init), [count]),
            ], strings: ["total_variance": String(totalVariance)], to: path)
    }

    public init(path: String) throws {
        let file = try ScorerFile(path: path, method: "pca")
        mean = try file.tensor("mean", dimensions: 1).values
        let (values, shape) = try file.tensor("components", dimensions: 2)
        components = values
        variances = try file.tensor("variances", dimensions: 1).values.map(Double.init)
        totalVariance = try file.value("total_variance")
        guard shape == [variances.count, mean.count], (mean + components).allSatisfy(\.isFinite) else {
            throw file.invalid("holds no principal components")
        }
    }
}
