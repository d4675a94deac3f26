import Foundation

extension Plane<Double> {
    /// What lies beyond the border of a filtered plane.
    enum Border {
        /// The border pixels again, in reverse order: d c b a | a b c d | d c b a.
        case reflected
        case zero
    }

    /// Smoothed by a Gaussian that is cut at four standard deviations.
    func smoothed(sigma: Double, border: Border) -> Plane {
        guard sigma > 0, sigma.isFinite else { return self }
        let radius = Int(4 * sigma + 0.5)
        guard radius > 0 else { return self }
        let weights = (-radius...radius).map { exp(-0.5 * Double($0 * $0) / (sigma * sigma)) }
        let sum = weights.reduce(0, +)
        let kernel = weights.map { $0 / sum }
        return filteredAlongRows(kernel, origin: radius, border).transposed
            .filteredAlongRows(kernel, origin: radius, border).transposed
    }

    /// The mean over a square of `size` pixels, whose centre is pixel `size / 2` of it.
    func boxFiltered(size: Int, border: Border = .reflected) -> Plane {
        guard size > 1 else { return self }
        let kernel = [Double](repeating: 1 / Double(size), count: size)
        return filteredAlongRows(kernel, origin: size / 2, border).transposed
            .filteredAlongRows(kernel, origin: size / 2, border).transposed
    }

    private var transposed: Plane {
        var result = [Double](repeating: 0, count: values.count)
        for y in 0..<height {
            for x in 0..<width { result[x * height + y] = values[y * width + x] }
        }
        return Plane(width: height, height: width, values: result)
    }

    private func filteredAlongRows(_ kernel: [Double], origin: Int, _ border: Border) -> Plane {
        var result = [Double](repeating: 0, count: values.count)
        let before = origin
        let after = kernel.count - 1 - origin
        var padded = [Double](repeating: 0, count: width + before + after)
        for y in 0..<height {
            for index in padded.indices {
                var x = index - before
                if x < 0 || x >= width {
                    guard border == .reflected else { continue }
                    let period = 2 * width
                    x = ((x % period) + period) % period
                    if x >= width { x = period - 1 - x }
                }
                padded[index] = values[y * width + x]
            }
            padded.withUnsafeBufferPointer { padded in
                result.withUnsafeMutableBufferPointer { result in
                    for (offset, weight) in kernel.enumerated() {
                        let row = y * width
                        for x in 0..<width { result[row + x] += weight * padded[x + offset] }
                    }
                }
            }
        }
        return Plane(width: width, height: height, values: result)
    }
}

extension Plane<Bool> {
    /// Numbers of 8-connected regions of true pixels, from 1 in the order of their first pixel, 0 elsewhere.
    func regions() -> (labels: Plane<Int32>, count: Int) {
        var labels = Plane<Int32>(width: width, height: height, filledWith: 0)
        var count: Int32 = 0
        var stack: [Int] = []
        for start in values.indices where values[start] && labels.values[start] == 0 {
            count += 1
            labels.values[start] = count
            stack.append(start)
            while let index = stack.popLast() {
                let (x, y) = (index % width, index / width)
                for ny in max(0, y - 1)...min(height - 1, y + 1) {
                    for nx in max(0, x - 1)...min(width - 1, x + 1) {
                        let next = ny * width + nx
                        if values[next] && labels.values[next] == 0 {
                            labels.values[next] = count
                            stack.append(next)
                        }
                    }
                }
            }
        }
        return (labels, Int(count))
    }

    /// The 8-connected region that holds a pixel; empty where the pixel is false.
    func region(containing x: Int, _ y: Int) -> Plane<Bool> {
        var result = Plane(width: width, height: height, filledWith: false)
        guard self[x, y] else { return result }
        var stack = [y * width + x]
        result.values[stack[0]] = true
        while let index = stack.popLast() {
            let (x, y) = (index % width, index / width)
            for ny in Swift.max(0, y - 1)...Swift.min(height - 1, y + 1) {
                for nx in Swift.max(0, x - 1)...Swift.min(width - 1, x + 1) {
                    let next = ny * width + nx
                    if values[next] && !result.values[next] {
                        result.values[next] = true
                        stack.append(next)
                    }
                }
            }
        }
        return result
    }

    var count: Int { values.reduce(0) { $0 + ($1 ? 1 : 0) } }
}
