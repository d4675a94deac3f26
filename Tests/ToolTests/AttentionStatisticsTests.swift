import Foundation
import Testing

@Suite struct AttentionStatisticsTests {
    @Test func theStudyOfTheDefaultModelPrintsWritesAndDraws() throws {
        try Tool.withTemporaryFolder { folder in
            let tool = try Tool.run(
                "bench", "attention", "--statistics", "--images", Tool.packageRoot + "/data/sample", "--count", "1",
                "--image-size", "128", "--quiet", "--json", folder + "/figures.json", "--plots", folder + "/plots")
            #expect(tool.status == 0, "\(tool.errors)")
            #expect(tool.output.contains("default, 128 pixels, 257 tokens, 6 layers of 3 heads; 1 images, seed 0"))

            let json = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: folder + "/figures.json")))
            let statistics = try #require((json as? [String: Any])?["statistics"] as? [String: Any])
            let reach = try #require(statistics["reach"] as? [[String: Any]])
            // Every layer of the study saw each of its tokens in each of three heads.
            #expect(reach.filter { $0["layer"] != nil }.allSatisfy { $0["rows"] as? Int == 3 * 257 })
            let skipping = try #require(statistics["skipping"] as? [[String: Any]])
            #expect(!skipping.isEmpty && skipping.allSatisfy { $0["bound_violations"] as? Int == 0 })

            let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/plots").sorted()
            #expect(
                names == [
                    "certificate.png", "differences.png", "estimators-blocks.png", "estimators-hilbert.png",
                    "estimators-rows.png", "needles.png", "reach-1.png", "reach-8.png", "skipped.png",
                ])
        }
    }

    @Test func optionsThatMakeNoSenseAreExplained() throws {
        let size = try Tool.run("bench", "attention", "--statistics", "--image-size", "100")
        #expect(
            size.status == 64 && size.errors.contains("--image-size: expected a multiple of the patch size 8, got 100"))
        let network = try Tool.run("bench", "attention", "--statistics", "--untrained", "huge")
        #expect(network.status == 64 && network.errors.contains("--untrained: no network is called 'huge'"))
    }
}
