import Foundation
import Tensors

/// Light and defects that are not of the sky: cosmic rays, trails of satellites, bad columns, holes.
struct ArtefactPainter {
    let side: Int
    /// What is added to the image, in σ.
    private(set) var light: [Float]
    /// Pixels whose value means nothing.
    private(set) var dead: [Bool]

    init(side: Int) {
        self.side = side
        light = [Float](repeating: 0, count: side * side)
        dead = [Bool](repeating: false, count: side * side)
    }

    /// A short track with sharp edges; `electrons` log-uniform up to hundreds of σ.
    mutating func cosmicRay(_ random: inout RandomNumbers) {
        let length = 1 + 14 * pow(random.uniform(), 3)
        let angle = random.uniform(0, .pi)
        let amplitude = 4 * pow(100, random.uniform())
        let (x0, y0) = (random.uniform(0, Float(side)), random.uniform(0, Float(side)))
        let steps = Int(4 * length)
        for step in 0...steps {
            let along = length * (Float(step) / Float(max(steps, 1)) - 0.5)
            let (x, y) = (x0 + along * cos(angle), y0 + along * sin(angle))
            let (column, row) = (Int(x.rounded(.down)), Int(y.rounded(.down)))
            let (fx, fy) = (x - Float(column), y - Float(row))
            for (dx, dy, share) in [
                (0, 0, (1 - fx) * (1 - fy)), (1, 0, fx * (1 - fy)), (0, 1, (1 - fx) * fy), (1, 1, fx * fy),
            ] where (0..<side).contains(column + dx) && (0..<side).contains(row + dy) {
                light[(row + dy) * side + column + dx] += 0.3 * amplitude * share
            }
        }
    }

    /// A straight line with a Gaussian cross-section: through the whole image, or with an end in it.
    mutating func trail(_ random: inout RandomNumbers) {
        let angle = random.uniform(0, .pi)
        let (x0, y0) = (random.uniform(0, Float(side)), random.uniform(0, Float(side)))
        let width = random.uniform(0.7, 2.2)
        let amplitude = 1.5 * pow(60, random.uniform())
        let ends = random.uniform() < 0.5
        for y in 0..<side {
            for x in 0..<side {
                let distance = ((Float(x) - x0) * sin(angle) - (Float(y) - y0) * cos(angle)) / width
                let along = (Float(x) - x0) * cos(angle) + (Float(y) - y0) * sin(angle)
                // The place (x0, y0) is the end of the line.
                if abs(distance) < 5 && (!ends || along > 0) {
                    light[y * side + x] += amplitude * exp(-distance * distance / 2)
                }
            }
        }
    }

    /// A pixel that is colder, or sometimes hotter, than its surroundings.
    mutating func oddPixel(_ random: inout RandomNumbers) {
        let offset = 4 * pow(30, random.uniform())
        light[random.integer(below: side * side)] += random.uniform() < 0.75 ? -offset : offset
    }

    /// A column that holds no light, or the same charge everywhere.
    mutating func badColumn(_ random: inout RandomNumbers) {
        let column = random.integer(below: side)
        let offset = random.uniform() < 0.5 ? -random.uniform(3, 60) : random.uniform(3, 200)
        for y in 0..<side {
            light[y * side + column] += offset
            dead[y * side + column] = true
        }
    }

    /// A round hole without data.
    mutating func hole(_ random: inout RandomNumbers) {
        let (x0, y0) = (random.uniform(0, Float(side)), random.uniform(0, Float(side)))
        let radius = 0.6 + 7 * pow(random.uniform(), 2)
        for y in 0..<side {
            for x in 0..<side
            where (Float(x) - x0) * (Float(x) - x0) + (Float(y) - y0) * (Float(y) - y0) < radius * radius {
                dead[y * side + x] = true
            }
        }
    }
}
