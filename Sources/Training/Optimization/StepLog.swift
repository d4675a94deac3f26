import Foundation

/// A CSV file with rows for steps of a run, the step in the first column.
package struct StepLog {
    private let path: String
    private var pending = ""

    /// Opens a log and drops rows after a step: a run that is taken up at a checkpoint writes those again.
    package init(path: String, columns: String, keepingSteps steps: Int) throws(TrainingError) {
        self.path = path
        let old = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let kept = old.split(separator: "\n").dropFirst().filter { row in
            Int(row.prefix { $0 != "," }).map { $0 <= steps } ?? false
        }
        let text = ([columns] + kept.map(String.init)).joined(separator: "\n") + "\n"
        do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
            throw TrainingError(.file, path: path, reason: "cannot be written: \(error.localizedDescription)")
        }
    }

    /// Adds a row, such as `12,0.5`; it may stay in memory until ``flush()``.
    package mutating func append(_ row: String) throws(TrainingError) {
        pending += row + "\n"
        if pending.utf8.count > 1 << 14 { try flush() }
    }

    package mutating func flush() throws(TrainingError) {
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
