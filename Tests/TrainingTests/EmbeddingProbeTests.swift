import Tensors
import Testing
import Training

@Suite struct EmbeddingProbeTests {
    /// Classes that lie in different directions, with noise.
    private func clusters(noise: Float) -> (rows: [Float], labels: [Int]) {
        var random = RandomNumbers(seed: 3)
        var (rows, labels): ([Float], [Int]) = ([], [])
        for index in 0..<300 {
            let label = index % 3
            labels.append(label)
            for channel in 0..<8 { rows.append((channel == label ? 1 : 0) + noise * random.normal()) }
        }
        return (rows, labels)
    }

    @Test func separateClustersAreToldApartAndNoiseIsNot() throws {
        let backend = CPUBackend(threads: 1)
        let (clean, labels) = clusters(noise: 0.1)
        let good = try EmbeddingProbe(clean, width: 8, labels: labels, on: backend)
        #expect(good.nearestNeighbourAccuracy() > 0.99)
        #expect(good.linearAccuracy() > 0.98)
        let (noisy, _) = clusters(noise: 100)
        let bad = try EmbeddingProbe(noisy, width: 8, labels: labels, on: backend)
        #expect(abs(bad.nearestNeighbourAccuracy() - 1 / 3) < 0.12)
        #expect(abs(bad.linearAccuracy() - 1 / 3) < 0.17)
    }

    @Test func aRowIsNotItsOwnNeighbour() throws {
        // Opposite pairs: the nearest other row always has the other label.
        let rows: [Float] = [1, 0, 1, 0.01, -1, 0, -1, 0.01]
        let probe = try EmbeddingProbe(rows, width: 2, labels: [0, 1, 0, 1], on: CPUBackend(threads: 1))
        #expect(probe.nearestNeighbourAccuracy(neighbours: 1) == 0)
    }
}
