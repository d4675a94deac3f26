import Foundation

/// A CSV file with a row for each step.
struct LossLog {
    private static let header = "step,loss,learning_rate,gradient_norm"
    private let path: String
    private var pending = ""

    /// Opens a log and drops rows after a step: a run that is taken up at a checkpoint writes those again.
    init(path: String, keepingSteps steps: Int) throws(TrainingError) {
        self.path = path
        let old = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let kept = old.split(separator: "\n").dropFirst().filter { row in
            row.prefix { $0 != "," }.isEmpty == false && Int(row.prefix { $0 != "," }).map { $0 <= steps } ?? false
        }
        let text = ([Self.header] + kept.map(String.init)).joined(separator: "\n") + "\n"
        do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
            throw TrainingError(.file, path: path, reason: "cannot be written: \(error.localizedDescription)")
        }
    }

    mutating func append(step: Int, loss: Float, learningRate: Float, gradientNorm: Float) throws(TrainingError) {
        pending += "\(step),\(loss),\(learningRate),\(gradientNorm)\n"
        if pending.utf8.count > 1 << 14 { try flush() }
    }

    mutating func flush() throws(TrainingError) {
        guard let handle = FileHandle(forWritingAtPath: path) else {
            throw TrainingError(.file, path: path, reason: "cannot be written")
        }
        defer { try? handle.close() }
        do {
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(pending.utf8))
        } catch {
            throw TrainingError(.file, path: path, reason: "cannot be written: \(error.localizedDescription)")
        }
        pending = ""
    }
}
