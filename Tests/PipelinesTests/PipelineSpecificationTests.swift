import Pipelines
import Tensors
import Testing

@Suite("Run files")
struct PipelineSpecificationTests {
    static let quickstart = """
        version: 1
        name: quickstart
        seed: 7
        stages:
          - load
          - stamp
          - embed: {batch: 8, precision: bfloat16}
          - score:
              neighbours: 3
              standardise: no
          - catalog: {formats: [fits, votable]}
          - contact-sheet
        """

    @Test("what is given is read and what is not given has its default")
    func settings() throws {
        let run = try PipelineSpecification.parse(Self.quickstart)
        #expect(run.name == "quickstart")
        #expect(run.seed == 7)
        #expect(run.stages.map(\.kind) == [.load, .stamp, .embed, .score, .catalog, .contactSheet])
        let embed = EmbedSettings(try #require(run.stage(.embed)))
        #expect(
            embed.batch == 8 && embed.precision == .bfloat16 && embed.attention == .automatic
                && embed.model == "default")
        let score = ScoreSettings(try #require(run.stage(.score)))
        #expect(score.neighbours == 3 && score.standardise == false && score.metric == "euclidean")
        #expect(CatalogSettings(try #require(run.stage(.catalog))).formats == ["fits", "votable"])
        #expect(ContactSheetSettings(try #require(run.stage(.contactSheet))).columns == 8)
    }

    @Test("a run file that was written with all its settings reads back to the same")
    func roundTrip() throws {
        let run = try PipelineSpecification.parse(Self.quickstart)
        for commented in [false, true] {
            let again = try PipelineSpecification.parse(run.yaml(commented: commented))
            #expect(again.seed == run.seed)
            #expect(again.stages.map(\.values) == run.stages.map(\.values))
        }
    }

    @Test(
        "a mistake is named with its line and the nearest right word",
        arguments: [
            ("stages:\n  - load\n  - stamp\n  - embed: {bacth: 8}", 4, "did you mean 'batch'"),
            ("stages:\n  - load\n  - stmp", 3, "did you mean 'stamp'"),
            ("stages:\n  - load\n  - stamp\n  - embed: {batch: many}", 4, "expected a whole number"),
            ("stages:\n  - load\n  - stamp\n  - embed: {batch: 0}", 4, "is not between 1 and 4096"),
            ("stages:\n  - load\n  - stamp\n  - embed: {precision: float23}", 4, "did you mean 'float32'"),
            ("stages:\n  - load\n  - stamp\n  - embed: {attention: vsa}", 4, "vsa:0.001"),
            ("stages:\n  - load\n  - stamp\n  - embed: {attention: vsa:1.5}", 4, "is not one of"),
            ("stages:\n  - load\n  - stamp\n  - catalog: {formats: [fits, votabel]}", 4, "did you mean 'votable'"),
            ("stags:\n  - load", 1, "did you mean 'stages'"),
            ("version: 2\nstages:\n  - load", 1, "reads version 1"),
            ("seed: -1\nstages:\n  - load", 1, "seed"),
            ("stages: load", 1, "expected a list"),
        ])
    func mistakes(text: String, line: Int, words: String) {
        let error = #expect(throws: PipelineError.self) { try PipelineSpecification.parse(text) }
        #expect(error?.line == line)
        #expect(error?.reason.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test(
        "stages that cannot work in their order are refused",
        arguments: [
            ("stages: [load, embed]", "needs 'stamp' before it"),
            ("stages: [load, stamp, score, embed]", "needs 'embed' before it"),
            ("stages: [load, load]", "listed twice"),
            ("stages: []", "'load' is missing"),
            ("stages: [load, stamp, catalog, embed]", "must come before"),
            ("", "is empty"),
            ("stages: [load", "not valid YAML"),
            ("- load", "top level"),
        ])
    func order(text: String, words: String) {
        let error = #expect(throws: PipelineError.self) { try PipelineSpecification.parse(text) }
        #expect(error?.reason.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test("an override on the command line wins over the file")
    func overrides() throws {
        var run = try PipelineSpecification.parse(Self.quickstart)
        try run.set("embed.batch=64")
        try run.set("load.bands=g, r ,z")
        try run.set("seed=12")
        #expect(run.seed == 12)
        #expect(EmbedSettings(try #require(run.stage(.embed))).batch == 64)
        #expect(LoadSettings(try #require(run.stage(.load))).bands == ["g", "r", "z"])
        try run.set("embed.attention=vsa:0.001")
        try run.set("embed.precision=bf16")
        let embed = EmbedSettings(try #require(run.stage(.embed)))
        #expect(AttentionVariant("vsa:0.001:0.02") == .vsa(threshold: 0.001, tolerance: 0.02))
        #expect(AttentionVariant("vsa:0.001:0.02")?.description == "vsa:0.001:0.02")
        for text in ["vsa", "vsa:", "vsa:2", "vsa:0.1:3", "vsa:0.1:0.1:0.1", "vsaa:0.1"] {
            #expect(AttentionVariant(text) == nil, "\(text)")
        }
        #expect(embed.attention == .vsa(threshold: 0.001) && embed.precision == .bfloat16)
        for wrong in ["embed.batch", "embed.bach=3", "embd.batch=3", "batch=3", "embed.batch=x", "seed=x"] {
            #expect(throws: PipelineError.self, "\(wrong)") { try run.set(wrong) }
        }
    }

    @Test("the edit distance counts insertions, deletions and substitutions")
    func spelling() {
        #expect(Spelling.distance("kitten", "sitting") == 3)
        #expect(Spelling.distance("", "abc") == 3)
        #expect(Spelling.nearest(to: "neighbors", among: ["neighbours", "metric"]) == "neighbours")
        #expect(Spelling.nearest(to: "zzzz", among: ["neighbours", "metric"]) == nil)
    }
}
