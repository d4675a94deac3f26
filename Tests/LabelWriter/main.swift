// Decides about one object after the other until it is killed, and says which decisions it was told are on the disk.
//
//     LabelWriter STORE LABELLER COUNT: at most COUNT decisions; every tenth is taken back.
import Foundation
import Labeling

let arguments = CommandLine.arguments
guard arguments.count == 4, let count = Int(arguments[3]) else {
    FileHandle.standardError.write(Data("usage: LabelWriter STORE LABELLER COUNT\n".utf8))
    exit(64)
}

func say(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}

do {
    let store = try LabelStore(path: arguments[1], busyTimeout: 30)
    let session = try store.startSession(labeller: arguments[2], task: "outliers")
    say("ready")
    for number in 1...max(1, count) {
        guard let entry = try store.next(session, lookAhead: 2).first else { break }
        let answer = String(number % 6)
        let id = try store.decide(
            session, objectID: entry.object.id, question: "interest", answer: answer, seconds: 0.1)
        say("\(id) \(entry.object.id) \(answer)")
        if number % 10 == 0, let undone = try store.undo(session) { say("undone \(undone.id)") }
    }
    try store.release(session)
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
