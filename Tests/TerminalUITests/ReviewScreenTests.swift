import TerminalUI
import Testing

@Suite struct ReviewScreenTests {
    private static func screen(_ queue: MemoryQueue) -> ReviewScreen {
        ReviewScreen(queue: queue, task: "morphology", labeller: "edwin", time: 0)
    }

    private static func press(_ screen: inout ReviewScreen, _ keys: [Key], at time: Double = 1) {
        for key in keys { _ = screen.handle(key, at: time) }
    }

    @Test func theTreeIsFollowedKeyByKey() {
        let queue = MemoryQueue(ReviewItem.numbered(3))
        var screen = Self.screen(queue)
        Self.press(&screen, [.character("1")])
        #expect(screen.current?.item.id == "object-1" && screen.question.name == "how-rounded")
        #expect(queue.log == [.init(id: "object-1", question: "smooth-or-featured", answer: "smooth")], "at once")
        Self.press(&screen, [.character("2"), .character("2")])
        #expect(screen.current?.item.id == "object-3" && screen.question.name == "smooth-or-featured")
        #expect(queue.log.map(\.answer) == ["smooth", "cigar", "featured-or-disk"])
        #expect(screen.saved == 3)
        #expect(screen.compared == 2 && screen.agreed == 1, "the model said featured-or-disk both times")
        Self.press(&screen, [.character("3")])
        #expect(screen.current == nil)
        #expect(queue.log.count == 4)
    }

    @Test("What the store does not take stays on the screen, with the reason, and nothing is lost")
    func failures() {
        let queue = MemoryQueue(ReviewItem.numbered(3))
        var screen = Self.screen(queue)
        queue.fail(true)
        for key: Key in [.character("2"), .character("s"), .character("x")] {
            Self.press(&screen, [key])
            #expect(screen.current?.item.id == "object-1" && screen.saved == 0)
            #expect(screen.message?.isError == true && screen.message!.text.contains("the disk is full"))
        }
        Self.press(&screen, [.character("c")] + "odd".map(Key.character) + [.enter])
        #expect(screen.mode == .comment(LineEditor("odd")), "the text is still there")
        Self.press(&screen, [.right, .escape])
        queue.fail(false)
        Self.press(&screen, [.character("2")])
        #expect(screen.current?.item.id == "object-2" && screen.message == nil && queue.log.count == 1)
    }

    @Test func undoGoesBackToTheQuestion() {
        let queue = MemoryQueue(ReviewItem.numbered(4))
        var screen = Self.screen(queue)
        Self.press(&screen, [.character("1"), .character("1"), .character("x"), .character("u")])
        #expect(screen.current?.item.id == "object-2" && screen.current?.isArtefact == false)
        Self.press(&screen, [.character("u")])
        #expect(screen.current?.item.id == "object-1" && screen.question.name == "how-rounded")
        #expect(screen.current?.answers == ["smooth-or-featured": "smooth"] && screen.saved == 1)
        Self.press(&screen, [.character("u"), .character("u")])
        #expect(queue.log.isEmpty && screen.saved == 0 && screen.compared == 0)
        #expect(screen.message?.text == "there is nothing to undo")
    }

    @Test func backForwardAndSearch() {
        let queue = MemoryQueue(ReviewItem.numbered(200))
        var screen = Self.screen(queue)
        Self.press(&screen, [.left])
        #expect(screen.message?.text.contains("first object") == true)
        Self.press(&screen, [.right, .right, .left])
        #expect(screen.current?.item.id == "object-2" && queue.log.isEmpty)
        Self.press(&screen, [.character("/")] + "object-15".map(Key.character) + [.enter])
        #expect(screen.current?.item.id == "object-15")
        Self.press(&screen, [.character("/")] + "object-150".map(Key.character) + [.enter, .character("2")])
        #expect(queue.log == [.init(id: "object-150", question: "smooth-or-featured", answer: "featured-or-disk")])
        Self.press(&screen, [.character("/")] + "nothing".map(Key.character) + [.enter])
        #expect(screen.message?.text == "no object's name begins with 'nothing'")
        var browsing = Self.screen(MemoryQueue(ReviewItem.numbered(100)))
        for _ in 0..<60 { Self.press(&browsing, [.right]) }
        #expect(browsing.current?.item.id == "object-61", "looking on needs no answers")
        for _ in 0..<60 { Self.press(&browsing, [.right]) }
        #expect(browsing.current == nil && browsing.entries.count == 100)
    }

    @Test func everyObjectOfALongQueueComesOnce() {
        let queue = MemoryQueue(ReviewItem.numbered(100))
        var screen = Self.screen(queue)
        for count in 0..<100 {
            Self.press(&screen, [.character(count % 3 == 0 ? "s" : "2")])
            screen.refillIfFew(at: 1)
        }
        #expect(screen.current == nil)
        #expect(queue.log.map(\.id) == (1...100).map { "object-\($0)" })
        #expect(screen.progress == ReviewProgress(done: 100, total: 100))
    }

    @Test func keysOfThePicture() {
        var screen = Self.screen(MemoryQueue(ReviewItem.numbered(2)))
        screen.bandNames = ["g", "r", "z"]
        Self.press(&screen, [.character("b"), .character("b"), .character("t"), .character("+"), .character("n")])
        #expect(screen.settings.band == 1 && screen.settings.curve == .linear && screen.settings.zoom == 2)
        #expect(screen.showsNeighbours)
        Self.press(&screen, [.character("b"), .character("b"), .character("-"), .character("-"), .character("v")])
        #expect(screen.settings.band == nil && screen.settings.zoom == 1 && screen.settings.view == .image)
        #expect(screen.message?.text.contains("no restoration model") == true)
        #expect(screen.handle(.character("q"), at: 2) == .quit && screen.handle(.control("c"), at: 2) == .quit)
    }

    @Test func answerKeysThatMeanSomethingElseAreNumbered() {
        let questions = ReviewQuestions([
            ReviewQuestion(name: "class", answers: [.init(key: "s", name: "smooth"), .init(key: "d", name: "disk")]),
            ReviewQuestion(
                name: "interest", answers: [.init(key: "0", name: "dull"), .init(key: "a", name: "artefact")]),
        ])
        #expect(questions.questions.map { $0.answers.map(\.key) } == [["1", "2"], ["0", "a"]])
    }
}
