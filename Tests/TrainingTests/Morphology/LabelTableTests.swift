import AstroIO
import Datasets
import Foundation
import Models
import TestSupport
import Testing
import Training

@Suite struct LabelTableTests {
    private func objects(_ paths: [String]) -> [ObjectFiles] {
        paths.map { path in
            ObjectFiles(
                id: ((path as NSString).lastPathComponent as NSString).deletingPathExtension,
                planes: [.init(path: path)])
        }
    }

    private func table(_ text: String, in folder: String = "/data") throws -> LabelTable {
        try withTemporaryFolder { temporary in
            let path = temporary + "/labels.csv"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return try LabelTable(try Catalog.read(path), path: folder + "/labels.csv")
        }
    }

    @Test func rowsFindTheirImagesByPathFileNameOrID() throws {
        let images = objects(["/data/a/1.jpg", "/data/b/1.jpg", "/data/b/2.fits", "/data/b/036.26_+00.89.jpg"])
        let byFile = try table("file,class\na/1.jpg,x\nb/1.jpg,y\nelsewhere/b/2.fits,x\n036.26_+00.89.jpg,y\n")
            .labels(.classes(column: "class"), of: images, minimumPerClass: 1)
        #expect(byFile.values == [0, 1, 0, 1] && byFile.failures.isEmpty)
        let byID = try table("id_str,class\n2,x\n036.26_+00.89,y\n").labels(
            .classes(column: "class"), of: images, minimumPerClass: 1)
        #expect(
            byID.objects.map(\.id) == ["2", "036.26_+00.89"] && byID.values == [0, 1] && byID.unlabelledImages == 2)
    }

    @Test func rowsThatCannotBeUsedAreNamedWithTheReason() throws {
        let images = objects([
            "/data/a/1.jpg", "/data/b/1.jpg", "/data/2.jpg", "/data/3.jpg", "/data/4.jpg", "/data/5.jpg",
        ])
        let labels = try table(
            "file,class\n1.jpg,x\n2.jpg,x\n2.jpg,x\n3.jpg,x\n3.jpg,y\n4.jpg,y\n9.jpg,x\n5.jpg,odd\n5.jpg,\n"
        ).labels(.classes(column: "class", classes: ["x", "y"]), of: images, minimumPerClass: 1)
        #expect(labels.objects.map(\.id) == ["2", "4"] && labels.values == [0, 1])
        #expect(labels.repeatedRows == 1 && labels.unlabelledRows == 1)
        #expect(labels.failures.map(\.row) == [1, 4, 5, 7, 8])
        #expect(labels.failures[0].reason.contains("2 images"))
        #expect(labels.failures[1].reason.contains("4, 5"))
        #expect(labels.failures[3].reason.contains("9.jpg"))
        #expect(labels.failures[4].reason.contains("unknown class 'odd'"))
    }

    @Test func classesWithoutImagesAreAnError() throws {
        let images = objects(["/data/1.jpg", "/data/2.jpg"])
        let rows = try table("file,class\n1.jpg,x\n2.jpg,x\n")
        #expect {
            try rows.labels(.classes(column: "class", classes: ["x", "y"]), of: images, minimumPerClass: 1)
        } throws: {
            "\($0)".contains("'y' 0")
        }
        #expect { try rows.labels(.classes(column: "class"), of: images) } throws: {
            "\($0)".contains("only the class 'x'")
        }
        #expect { try rows.labels(.classes(column: "kind"), of: images) } throws: {
            "\($0)".contains("no column 'kind'")
        }
        #expect { try table("a,b\n1,2\n") } throws: { "\($0)".contains("neither a column of file names") }
    }

    @Test func classesCanBeMergedAndAttributesOutsideTheirRangeAreNotKnown() throws {
        let images = objects(["/data/1.jpg", "/data/2.jpg", "/data/3.jpg"])
        let rows = try table("file,class,bar,ring\n1.jpg,cw,0.25,-1\n2.jpg,acw,1,0\n3.jpg,el,-1,-1\n4.jpg,el,-1,1\n")
        let merged = try rows.labels(
            .classes(column: "class", merged: ["cw": "spiral", "acw": "spiral"]), of: images, minimumPerClass: 1)
        #expect(merged.target == .classes(["el", "spiral"]) && merged.values == [1, 1, 0])
        #expect(merged.failures.map(\.row) == [4])
        let known = try rows.labels(
            .labels(["bar", "ring"]), of: images + objects(["/data/4.jpg"]), minimumPerClass: 0)
        #expect(known.count == 3 && known.unlabelledRows == 1)
        #expect(known.values[0] == 0.25 && known.values[1].isNaN && known.values[2] == 1 && known.values[3] == 0)
    }

    @Test func votesAreFoundByBothNamesAndCampaign() throws {
        let tree = try DecisionTreeFile.parse(
            """
            name: small
            questions:
              - {name: edge-on, answers: [{name: yes, column: t02_a04_yes_count}, {name: no, column: t02_a05_no_count}]}
              - {name: bar, parent: edge-on/no, answers: [yes, no]}
            """, path: "tree.yaml")
        #expect(tree.questions[0].answers.map(\.name) == ["yes", "no"], "YAML's yes and no are words here")
        #expect(tree.parentPlaces == [nil, 1])
        let images = objects(["/data/1.jpg", "/data/2.jpg"])
        let rows = try table(
            "file,t02_a04_yes_count,t02_a05_no_count,bar-dr5_yes,bar-dr5_no\n1.jpg,3,5,4,1\n2.jpg,-1,2,0,0\n")
        let labels = try rows.labels(.tree(tree, campaign: "dr5"), of: images)
        #expect(labels.values == [3, 5, 4, 1])
        #expect(labels.failures.count == 1 && labels.failures[0].reason.contains("-1"))
        #expect { try rows.labels(.tree(tree), of: images) } throws: { "\($0)".contains("say --campaign dr5") }
    }

    @Test(arguments: [
        ("questions: 3", "list of questions"), ("name: x\nquestions: []", "no questions"), ("[", "is no YAML"),
        ("name: x\nquestions: [{name: a, answers: [b]}]", "1 answers"),
        ("name: x\nquestions: [{name: a, answers: [b, c], parent: z/b}]", "no earlier question"),
        ("name: x\nquestions: [{name: a, answers: [b, c], child: z}]", "unknown key 'child'"),
    ])
    func treesThatCannotBeAreErrors(_ yaml: String, _ reason: String) {
        #expect { try DecisionTreeFile.parse(yaml, path: "tree.yaml") } throws: { "\($0)".contains(reason) }
    }

    @Test func theBuiltInTreesAreThoseOfTheSurveys() {
        #expect(DecisionTree.desi.questions.count == 10 && DecisionTree.desi.answerCount == 34)
        #expect(DecisionTree.galaxyZoo2.questions.count == 11 && DecisionTree.galaxyZoo2.answerCount == 37)
    }

    @Test func windingClassesAreHanded() {
        #expect(MorphologyTarget.classes(["elliptical", "spiral_clockwise"]).isHanded)
        #expect(!MorphologyTarget.classes(["elliptical", "spiral"]).isHanded)
        #expect(MorphologyTarget.labels(["Arm_Rotation"]).isHanded)
        #expect(!MorphologyTarget.tree(.galaxyZoo2).isHanded)
    }

    @Test(.enabled(if: DevelopmentImages.areInstalled)) func realTablesAreRead() throws {
        let zoo = try LabelTable(path: DevelopmentImages.path("galaxyzoo2/labels.csv"))
        let classes = try zoo.labels(.classes(column: "class5"), of: try zoo.objects())
        #expect(classes.count == 2230 && classes.unlabelledRows == 3299 && classes.failures.isEmpty)
        let stripe = try LabelTable(path: DevelopmentImages.path("gz2_stripe82_votes/votes.csv"))
        let votes = try stripe.labels(.tree(.galaxyZoo2), of: try stripe.objects())
        #expect(votes.count == 236 && votes.failures.isEmpty)
        // Smooth, featured and artefact votes of the whole table.
        #expect(Array(votes.counts[0..<3]) == [3301, 1212, 346])
        let efigi = try LabelTable(path: DevelopmentImages.path("efigi/labels.csv"))
        let bars = try efigi.labels(.labels(["Bar_Length", "Visible_Dust"]), of: try efigi.objects())
        #expect(bars.counts[0] == 2703, "of 3120 galaxies 417 have no known bar length")
    }
}
