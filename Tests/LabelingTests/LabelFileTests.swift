import AstroIO
import Foundation
import Labeling
import TestSupport
import Testing

@Suite struct LabelFileTests {
    private func labelled(_ folder: String) throws -> LabelStore {
        let store = try makeStore(folder, objects: 6, retirement: Retirement())
        for (name, answers) in [("a", ["5", "0", "3"]), ("b", ["5", "1", "artefact"])] {
            let session = try store.startSession(labeller: name, task: "outliers")
            for (place, answer) in answers.enumerated() {
                try store.decide(
                    session, objectID: "galaxy-\(place)", question: "interest", answer: answer, seconds: 1.5)
            }
        }
        return store
    }

    @Test(arguments: ["csv", "ecsv", "fits"])
    func votesAndAnswersComeBackAsTheyWere(ending: String) throws {
        try withTemporaryFolder { folder in
            let store = try labelled(folder)
            for form in [LabelFileForm.votes, .answers] {
                let path = "\(folder)/\(form.rawValue).\(ending)"
                try LabelExport(store, task: "outliers").table(form).write(to: path)
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/\(form.rawValue)", withIntermediateDirectories: true)
                let other = try makeStore("\(folder)/\(form.rawValue)", objects: 6, retirement: Retirement())
                for _ in 0..<2 {
                    let result = try LabelImport(other, task: "outliers").read(path)
                    #expect(result.form == form && result.imported == 6 && result.bad.isEmpty)
                }
                #expect(try other.voteCounts(task: "outliers") == store.voteCounts(task: "outliers"))
            }
            let votes = try Catalog.read("\(folder)/votes.\(ending)")
            #expect(votes["interest_5_count"]?.integers == [2, 0, 0])
            #expect(votes["interest_1_fraction"]?.doubles == [0, 0.5, 0])
            #expect(votes["interest_total-votes"]?.integers == [2, 2, 2])
        }
    }

    @Test func badRowsAreNamedAndTheOthersTaken() throws {
        try withTemporaryFolder { folder in
            let store = try makeStore(folder, objects: 3)
            let path = folder + "/labels.csv"
            try "id_str,human_label\ngalaxy-0,4\ngalaxy-1,-1\ngalaxy-2,7\nquasar,2\n".write(
                toFile: path, atomically: true, encoding: .utf8)
            let result = try LabelImport(store, task: "outliers").read(path)
            #expect(result.form == .astronomaly && result.imported == 1 && result.unlabelled == 1)
            #expect(result.bad.map(\.row) == [3, 4])
            #expect(result.bad[0].reason.contains("7") && result.bad[1].reason.contains("quasar"))

            try "filename,label\n/elsewhere/1.fits,anomaly\n2.fits,normal\n0.fits,strange\n".write(
                toFile: path, atomically: true, encoding: .utf8)
            let match = try LabelImport(store, task: "outliers").read(path)
            #expect(match.form == .anomalymatch && match.imported == 2 && match.bad.map(\.row) == [3])
            #expect(try store.consensus(task: "outliers").map(\.answer) == ["4", "5", "0"])
        }
    }

    @Test func astronomalyAndAnomalyMatchFilesSayWhatWasSaid() throws {
        try withTemporaryFolder { folder in
            let export = try LabelExport(labelled(folder), task: "outliers")
            let astronomaly = try export.table(.astronomaly)
            #expect(astronomaly["human_label"]?.integers == [5, 1, 2, -1, -1, -1])
            let match = try export.table(.anomalymatch)
            #expect(match["filename"]?.strings == ["0.fits", "1.fits", "2.fits"])
            #expect(match["label"]?.strings == ["anomaly", "normal", "normal"])
        }
    }
}
