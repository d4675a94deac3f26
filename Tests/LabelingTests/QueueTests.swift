import Foundation
import Labeling
import TestSupport
import Testing

@Suite struct QueueTests {
    @Test func objectsComeInRankOrderAndADecidedOneDoesNotComeAgain() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 10)
            let session = try store.startSession(labeller: "a", task: "outliers")
            #expect(try store.next(session, lookAhead: 3).map(\.object.id) == (0..<4).map { "galaxy-\($0)" })
            try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "5", seconds: 2)
            try store.decide(session, objectID: "galaxy-2", question: "interest", answer: "0", seconds: 2)
            #expect(try store.next(session, lookAhead: 2).map(\.object.id) == ["galaxy-1", "galaxy-3", "galaxy-4"])
        }
    }

    @Test func undoBringsTheObjectBackAndAddsARow() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 5)
            let session = try store.startSession(labeller: "a", task: "outliers")
            let id = try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "5")
            try store.decide(session, objectID: "galaxy-1", question: "interest", answer: "1")
            #expect(try store.due(session) == "galaxy-2")
            #expect(try store.undo(session)?.objectID == "galaxy-1")
            #expect(try store.due(session) == "galaxy-1")
            #expect(try store.undo(session)?.id == id)
            #expect(try store.due(session) == "galaxy-0")
            #expect(try store.undo(session) == nil)
            #expect(try store.history(session).map(\.kind) == [.undo, .undo, .answer, .answer])
            #expect(try store.voteCounts(task: "outliers").isEmpty)
        }
    }

    @Test func aSkippedObjectComesAgainInTheNextSession() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 3)
            let first = try store.startSession(labeller: "a", task: "outliers")
            try store.skip(first, objectID: "galaxy-0")
            #expect(try store.due(first) == "galaxy-1")
            try store.release(first)
            let second = try store.startSession(labeller: "a", task: "outliers")
            #expect(try store.due(second) == "galaxy-0")
        }
    }

    @Test func aReservedObjectIsFreeAgainWhenItsTimeIsOverOrItIsReleased() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 3, leaseSeconds: 60)
            let a = try store.startSession(labeller: "a", task: "outliers")
            let b = try store.startSession(labeller: "b", task: "outliers")
            #expect(try store.due(a, now: 1000) == "galaxy-0")
            #expect(try store.due(b, now: 1059) == "galaxy-1")
            #expect(try store.due(a, now: 1059) == "galaxy-0")
            #expect(try store.due(b, now: 1118) == "galaxy-1")
            #expect(try store.due(b, now: 1120) == "galaxy-0")
            try store.release(b)
            #expect(try store.due(a, now: 1121) == "galaxy-0")
        }
    }

    @Test func aKilledReviewGoesOnAtItsObject() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 3)
            let killed = try store.startSession(labeller: "a", task: "outliers")
            #expect(try store.due(killed) == "galaxy-0")
            let other = try store.startSession(labeller: "b", task: "outliers")
            let again = try store.startSession(labeller: "a", task: "outliers")
            #expect(try store.due(again) == "galaxy-0")
            #expect(try store.due(other) == "galaxy-1")
        }
    }

    @Test func severalPeopleSeeAnObjectUntilItsRuleRetiresIt() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 1, retirement: Retirement())
            for (number, name) in ["a", "b", "c", "d"].enumerated() {
                let session = try store.startSession(labeller: name, task: "outliers")
                #expect(try store.due(session) == "galaxy-0")
                try store.decide(session, objectID: "galaxy-0", question: "interest", answer: "3")
                #expect(try store.statistics(task: "outliers").retired == (number == 3 ? 1 : 0))
            }
            let last = try store.startSession(labeller: "e", task: "outliers")
            #expect(try store.due(last) == nil)
            let label = try #require(try store.consensus(task: "outliers").first)
            #expect(label.answer == "3" && label.labellerCount == 4 && label.decisions.count == 4)
        }
    }

    @Test func anObjectInTheMiddleOfItsQuestionsComesAgainWithTheAnswersSoFar() throws {
        try withTemporaryFolder { folder in
            let tree = try QuestionTree([
                Question(
                    name: "smooth-or-featured",
                    answers: [Answer(key: "s", name: "smooth"), Answer(key: "f", name: "featured", next: "bar")]),
                Question(name: "bar", answers: [Answer(key: "y", name: "yes"), Answer(key: "n", name: "no")]),
            ])
            let store = try makeStore(folder, objects: 2, tree: tree)
            let session = try store.startSession(labeller: "a", task: "outliers")
            try store.decide(session, objectID: "galaxy-0", question: "smooth-or-featured", answer: "featured")
            #expect(try store.due(session) == "galaxy-0")
            try store.decide(session, objectID: "galaxy-0", question: "bar", answer: "yes")
            #expect(try store.due(session) == "galaxy-1")
            // Another first answer takes back what followed from the old one; undo brings both back.
            try store.decide(session, objectID: "galaxy-0", question: "smooth-or-featured", answer: "smooth")
            #expect(try store.answers(session, objectID: "galaxy-0") == ["smooth-or-featured": "smooth"])
            try store.undo(session)
            #expect(
                try store.answers(session, objectID: "galaxy-0") == ["smooth-or-featured": "featured", "bar": "yes"])
        }
    }

    @Test func theNextObjectIsFoundQuicklyAmongAHundredThousand() throws {
        try withTemporaryFolder { folder in
            // `LABEL_OBJECTS` asks for another number.
            let count = ProcessInfo.processInfo.environment["LABEL_OBJECTS"].flatMap(Int.init) ?? 100_000
            let clock = ContinuousClock()
            var store: LabelStore?
            let building = try clock.measure { store = try makeStore(folder, objects: count) }
            let full = try #require(store)
            let session = try full.startSession(labeller: "a", task: "outliers")
            var next: [Duration] = []
            var decide: [Duration] = []
            for number in 0..<300 {
                var due: String?
                next.append(try clock.measure { due = try full.due(session) })
                #expect(due == "galaxy-\(number)")
                decide.append(
                    try clock.measure {
                        _ = try full.decide(session, objectID: "galaxy-\(number)", question: "interest", answer: "1")
                    })
            }
            print(
                "\(count) objects: build \(building), next \(next.sorted()[150]) median, \(next.max()!) worst;",
                "decide \(decide.sorted()[150]) median, \(decide.max()!) worst")
        }
    }
}
