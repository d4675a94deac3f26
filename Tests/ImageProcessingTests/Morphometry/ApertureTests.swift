import Foundation
import ImageProcessing
import Testing

@Suite struct ApertureTests {
    @Test(arguments: [(0.3, 1.0, 0.0), (3.7, 1.0, 0.0), (12.2, 0.4, 0.7), (9.0, 0.12, 2.5)])
    func holdsItsWholeArea(outer: Double, axisRatio: Double, angle: Double) {
        let aperture = Aperture(x: 30.3, y: 29.1, outer: outer, axisRatio: axisRatio, angle: angle)
        let ones = Plane(width: 61, height: 60, filledWith: 1.0)
        #expect(abs(aperture.sum(ones) - .pi * outer * outer * axisRatio) < 1e-9)
    }

    @Test func pixelsOnTheRimCountByTheirArea() {
        let aperture = Aperture(x: 7.2, y: 6.9, inner: 2.1, outer: 5.4, axisRatio: 0.6, angle: 1.1)
        // Against 200 × 200 points a pixel.
        let steps = 200
        var largest = 0.0
        var counted: Set<Int> = []
        aperture.forEachPixel(width: 15, height: 14) { index, share in
            counted.insert(index)
            var inside = 0
            for j in 0..<steps {
                for i in 0..<steps {
                    let dx = Double(index % 15) + (Double(i) + 0.5) / Double(steps) - 0.5 - 7.2
                    let dy = Double(index / 15) + (Double(j) + 0.5) / Double(steps) - 0.5 - 6.9
                    let (u, v) = (dx * cos(1.1) + dy * sin(1.1), (dy * cos(1.1) - dx * sin(1.1)) / 0.6)
                    let radius = hypot(u, v)
                    inside += radius > 2.1 && radius < 5.4 ? 1 : 0
                }
            }
            largest = max(largest, abs(share - Double(inside) / Double(steps * steps)))
        }
        #expect(largest < 2e-3)
        #expect(counted.count > 40)
    }

    @Test func whatLiesOutsideOfTheImageOrIsMaskedDoesNotCountInTheMean() {
        var light = Plane(width: 20, height: 20, filledWith: 2.0)
        var masked = Plane(width: 20, height: 20, filledWith: false)
        for y in 0..<20 { light[3, y] = 1000 }
        for y in 0..<20 { masked[3, y] = true }
        let aperture = Aperture(x: 1, y: 1, outer: 6)
        #expect(abs(aperture.mean(light, masked: masked) - 2) < 1e-12)
        #expect(Aperture(x: -40, y: 3, outer: 6).mean(light, masked: masked) == 0)
        #expect(Aperture(x: .nan, y: 3, outer: 6).sum(light) == 0)
    }
}
