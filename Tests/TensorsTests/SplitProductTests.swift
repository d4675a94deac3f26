import Foundation
import Tensors
import Testing

@Suite("Float32 products through bfloat16 parts")
struct SplitProductTests {
    /// The largest error relative to the length of the row times the length of the column, against float64.
    static func error(_ products: Float32Products, rows: Int, inner: Int, columns: Int, spread: Float) -> Double {
        let backend = CPUBackend(threads: 1, float32Products: products)
        var state: UInt64 = 7
        func value() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let uniform = Float(Int64(bitPattern: state) >> 33) / Float(1 << 30)
            return uniform * exp2(spread * Float((state >> 20) & 15) / 15)
        }
        let x = (0..<rows * inner).map { _ in value() }
        let w = (0..<columns * inner).map { _ in value() }
        let found = Tensor(x, shape: [rows, inner], on: backend)
            .linear(Tensor(w, shape: [columns, inner], on: backend)).floats()
        var worst = 0.0
        for r in 0..<rows {
            for c in 0..<columns {
                var (sum, a, b) = (0.0, 0.0, 0.0)
                for i in 0..<inner {
                    let (u, v) = (Double(x[r * inner + i]), Double(w[c * inner + i]))
                    sum += u * v
                    a += u * u
                    b += v * v
                }
                worst = max(worst, abs(Double(found[r * columns + c]) - sum) / (a * b).squareRoot())
            }
        }
        return worst
    }

    @Test("three parts are as exact as float32 products", arguments: [Float(0), 12], [(64, 96, 80), (33, 777, 64)])
    func accuracy(spread: Float, size: (Int, Int, Int)) {
        let native = Self.error(.native, rows: size.0, inner: size.1, columns: size.2, spread: spread)
        let parts = Self.error(.parts, rows: size.0, inner: size.1, columns: size.2, spread: spread)
        let twoParts = Self.error(.twoParts, rows: size.0, inner: size.1, columns: size.2, spread: spread)
        #expect(native < 1e-6)
        #expect(parts <= max(2 * native, 2e-7), "\(parts) against \(native)")
        #expect(twoParts < 2e-5 && (twoParts > parts || !Float32Products.hasTiles), "\(twoParts)")
    }

    @Test("infinite and undefined inputs stay visible")
    func nonFinite() {
        let backend = CPUBackend(threads: 1, float32Products: .parts)
        var x = [Float](repeating: 1, count: 64 * 32)
        x[0] = .infinity
        x[32] = .nan
        let w = Tensor([Float](repeating: 0.5, count: 64 * 32), shape: [64, 32], on: backend)
        let found = Tensor(x, shape: [64, 32], on: backend).linear(w).floats()
        #expect(!found[0].isFinite && found[64].isNaN && found[128] == 16)
    }
}
