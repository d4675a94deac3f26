import Tensors
import Testing
import Training

@Suite struct StampViewTests {
    /// 0 1
    /// 2 3
    let pixels: ArraySlice<Float> = [0, 1, 2, 3]

    @Test func viewsThatOnlyTurnMovePixelsExactly() {
        func view(_ quarterTurns: Int, mirrored: Bool = false) -> [Float] {
            StampView(quarterTurns: quarterTurns, mirrored: mirrored).sample(pixels, channels: 1, side: 2, size: 2)
        }
        #expect(view(0) == [0, 1, 2, 3])
        #expect(view(2) == [3, 2, 1, 0])
        #expect(view(0, mirrored: true) == [1, 0, 3, 2])
        #expect(Set([view(1), view(3)]) == [[1, 3, 0, 2], [2, 0, 3, 1]])
    }

    @Test func aViewOfTheWholeStampKeepsAConstant() {
        var random = RandomNumbers(seed: 1)
        let constant = [Float](repeating: 7, count: 2 * 20 * 20)
        for _ in 0..<50 {
            let view = StampAugmentation(scale: 0.5...1.2, shift: 0.2).view(random: &random)
            #expect(view.sample(constant[...], channels: 2, side: 20, size: 16).allSatisfy { $0 == 7 })
        }
    }

    @Test func stampsMustFitTheirSizes() {
        #expect(throws: TrainingError.self) { try StampsInMemory([1, 2, 3], channels: 1, side: 2, size: 2) }
        #expect(throws: TrainingError.self) { try StampsInMemory([1, 2, 3, 4], channels: 1, side: 2, size: 3) }
    }
}
