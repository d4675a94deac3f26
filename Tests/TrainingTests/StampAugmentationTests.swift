import Tensors
import Testing
import Training

@Suite struct StampAugmentationTests {
    @Test func atLeastOneBandIsLeftAndPlanesStayWithTheirWavelengths() {
        let augmentation = StampAugmentation(fewerBands: 1)
        var counts: Set<Int> = []
        for seed in 0..<40 {
            var random = RandomNumbers(seed: UInt64(seed))
            var planes: [Float] = [1, 1, 2, 2, 3, 3]
            var wavelengths: [Float] = [100, 200, 300]
            augmentation.dropBands(&planes, &wavelengths, random: &random)
            counts.insert(wavelengths.count)
            #expect(planes == wavelengths.flatMap { [$0 / 100, $0 / 100] })
        }
        #expect(counts == [1, 2])
    }

    @Test func blurKeepsTheLightAndNoiseHasItsDeviation() {
        var random = RandomNumbers(seed: 1)
        var planes = [Float](repeating: 0, count: 2 * 32 * 32)
        planes[16 * 32 + 16] = 1
        StampAugmentation(blur: 1).degrade(&planes, channels: 2, size: 32, random: &random)
        #expect(abs(planes[0..<1024].reduce(0, +) - 1) < 1e-5 && planes[16 * 32 + 16] < 0.3)
        #expect(planes[1024...].allSatisfy { $0 == 0 })

        var deviations: [Float] = []
        for seed in 0..<30 {
            var random = RandomNumbers(seed: UInt64(seed))
            var sky = [Float](repeating: 0, count: 1024)
            StampAugmentation(noise: 0.1).degrade(&sky, channels: 1, size: 32, random: &random)
            deviations.append((sky.reduce(0) { $0 + $1 * $1 } / 1024).squareRoot())
        }
        #expect(deviations.contains(0) && deviations.max()! > 0.05 && deviations.max()! < 0.11)
    }

    @Test func aQuarterTurnByAngleIsThatByNumber() {
        let pixels = (0..<(16 * 16)).map { Float(($0 * 37) % 101) }
        let turned = StampView(quarterTurns: 1).sample(pixels[...], channels: 1, side: 16, size: 16)
        var view = StampView()
        view.angle = .pi / 2
        let rotated = view.sample(pixels[...], channels: 1, side: 16, size: 16)
        for (a, b) in zip(turned, rotated) { #expect(abs(a - b) < 1e-2) }
    }
}
