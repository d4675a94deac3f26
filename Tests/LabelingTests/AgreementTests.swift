import Foundation
import Labeling
import TestSupport
import Testing

@Suite struct AgreementTests {
    struct Reference: Decodable {
        struct Cohen: Decodable { var first: [Int], second: [Int], kappa: Double }
        struct Fleiss: Decodable { var counts: [[Int]], kappa: Double }
        var cohen: [Cohen]
        var fleiss: [Fleiss]
    }

    @Test func kappaIsThatOfScikitLearnAndStatsmodels() throws {
        let reference = try fixture("kappa.json", as: Reference.self)
        for example in reference.cohen {
            #expect(abs(Agreement.cohen(example.first, example.second) - example.kappa) < 1e-12)
        }
        for example in reference.fleiss { #expect(abs(Agreement.fleiss(example.counts) - example.kappa) < 1e-12) }
        // The worked example of Fleiss (1971).
        #expect(abs(Agreement.fleiss(reference.fleiss[0].counts) - 0.210) < 0.0005)
    }

    @Test func kappaOfTheWorkedExampleOfTwoReviewersOfFiftyProposals() {
        // 20 both yes, 15 both no, 5 and 10 apart: observed 0.7, by chance 0.5, kappa 0.4.
        let first = Array(repeating: "y", count: 25) + Array(repeating: "n", count: 25)
        let second =
            Array(repeating: "y", count: 20) + Array(repeating: "n", count: 5) + Array(repeating: "y", count: 10)
            + Array(repeating: "n", count: 15)
        #expect(abs(Agreement.cohen(first, second) - 0.4) < 1e-12)
    }

    @Test func objectsWithOneRaterSayNothing() {
        #expect(Agreement.fleiss([[3, 0], [0, 3], [1, 0]]) == 1)
        #expect(Agreement.fleiss([[1, 0]]).isNaN)
    }

    @Test func anObjectRetiresByEachOfItsRules() throws {
        let tree = QuestionTree.classes("class", ["smooth", "disk", "artefact"])
        let rule = Retirement()
        func retired(_ answers: [String], artefacts: Int = 0) -> Bool {
            rule.isRetired(["class": answers], artefacts: artefacts, finished: answers.count, tree: tree)
        }
        #expect(!retired(["smooth", "smooth", "smooth"]))
        #expect(retired(["smooth", "smooth", "smooth", "smooth"]))
        #expect(!retired(["smooth", "disk", "smooth", "smooth", "smooth", "smooth", "disk", "smooth"]))
        #expect(retired(["smooth", "disk", "smooth", "smooth", "smooth", "smooth", "disk", "smooth", "disk"]))
        #expect(retired(["smooth", "artefact", "artefact", "disk", "artefact"]))
        #expect(!retired(["smooth"], artefacts: 2))
        #expect(retired([], artefacts: 3))
    }

    @Test func questionTreesAreReadAndMistakesNamed() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/tree.yaml"
            try """
            questions:
              - name: edge-on
                answers: [{key: y, name: yes}, {key: n, name: no, next: bar}]
              - name: bar
                answers: [{key: s, name: strong}, {key: n, name: none}]
            """.write(toFile: path, atomically: true, encoding: .utf8)
            let tree = try QuestionTree(contentsOf: path)
            #expect(tree.root.answer("n")?.next == "bar" && tree.root.answers[0].name == "yes")
            #expect(tree.question(after: tree.root.answers[1])?.name == "bar")
            try "questions: [{name: a, answers: [{key: x, name: b, next: c}]}]".write(
                toFile: path, atomically: true, encoding: .utf8)
            #expect(throws: QuestionTreeError("\(path): 'b' of 'a' leads to 'c', which there is not")) {
                try QuestionTree(contentsOf: path)
            }
        }
    }
}
