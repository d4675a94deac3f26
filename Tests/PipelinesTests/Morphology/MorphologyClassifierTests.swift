import AstroIO
import Datasets
import Foundation
import Inference
import Models
import Tensors
import TestSupport
import Testing

@Suite struct MorphologyClassifierTests {
    private let vit = ViTConfiguration(imageSize: 16, patchSize: 8, width: 16, depth: 2, heads: 2)

    private func backbone() throws -> MorphologyBackbone {
        MorphologyBackbone(
            try VisionTransformer(vit, seed: 3, backend: CPUBackend(threads: 1)),
            normalization: StampNormalization(size: 16, mean: [0, 0, 0], deviation: [1, 1, 1]))
    }

    private func classifier(withBackbone: Bool, digest: String) throws -> MorphologyClassifier {
        let backbone = try backbone()
        let pooling = MorphologyPooling.frozen(of: backbone.model)
        let configuration = MorphologyConfiguration(
            target: .classes(["a", "b", "c"]), pooling: pooling, tokenWidth: 16, hidden: 4, members: 2, views: 8,
            calibration: MorphologyCalibration(temperatures: [1.7]), backbone: withBackbone ? vit : nil,
            backboneName: "small", backboneDigest: digest)
        let head = MorphologyHead(
            48, hidden: 4, outputs: 3, members: 2, from: .random(seed: 8, on: backbone.model.backend))
        return MorphologyClassifier(
            MorphologyNetwork(backbone: withBackbone ? backbone.model : nil, head: head, pooling: pooling),
            configuration,
            on: backbone)
    }

    private func stamps(_ count: Int) -> [Float] {
        var random = RandomNumbers(seed: 1)
        return (0..<(count * 3 * 16 * 16)).map { _ in random.normal() }
    }

    @Test func aHeadIsStoredWithoutItsBackboneAndRefusesAnother() throws {
        try withTemporaryFolder { folder in
            let model = try classifier(withBackbone: false, digest: "abc")
            try model.backbone.model.save(to: folder + "/small.safetensors")
            try model.save(to: folder + "/head.safetensors")
            let loaded = try MorphologyClassifier(path: folder + "/head.safetensors") { name in
                #expect(name == "small")
                return (folder + "/small.safetensors", "abc")
            }
            let (expected, found) = (model.answers(stamps(3)), loaded.answers(stamps(3)))
            for (a, b) in zip(expected, found) {
                for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) < 1e-5) }
                #expect(abs(b.values.reduce(0, +) - 1) < 1e-12)
            }
            #expect {
                try MorphologyClassifier(path: folder + "/head.safetensors") { _ in
                    (folder + "/small.safetensors", "other")
                }
            } throws: { "\($0)".contains("another backbone") }
            #expect {
                try MorphologyClassifier(path: folder + "/small.safetensors") { _ in ("", "") }
            } throws: { "\($0)".contains("morphology") }
        }
    }

    /// A whole network is stored in bfloat16: its answers change by rounding only.
    @Test func aNetworkIsStoredWhole() throws {
        try withTemporaryFolder { folder in
            let model = try classifier(withBackbone: true, digest: "abc")
            try model.save(to: folder + "/whole.safetensors")
            let loaded = try MorphologyClassifier(path: folder + "/whole.safetensors") { _ in
                Issue.record("the backbone is in the file")
                return ("", "")
            }
            for (a, b) in zip(model.answers(stamps(2)), loaded.answers(stamps(2))) {
                for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) < 0.03) }
            }
        }
    }

    /// Turned and mirrored images get the same answer when all eight views are averaged.
    @Test func answersDoNotDependOnHowAnImageIsTurned() throws {
        let model = try classifier(withBackbone: false, digest: "abc")
        let upright = model.answers(stamps(1))[0].values
        for view in [1, 2, 5] {
            let turned = model.answers(Embedder.turned(stamps(1), side: 16, view: view))[0].values
            for (x, y) in zip(upright, turned) { #expect(abs(x - y) < 1e-4) }
        }
    }

    @Test func pooledVectorsAreClassMeanAndDeviation() throws {
        let backbone = try backbone()
        let images = backbone.images(stamps(2))
        let tokens = backbone.model(images).floats()
        let found = backbone.features(of: stamps(2), pooling: .frozen(of: backbone.model), views: 1)
        #expect(found.count == 2 * 48)
        for image in 0..<2 {
            for channel in 0..<16 {
                func token(_ place: Int) -> Double { Double(tokens[(image * 5 + place) * 16 + channel]) }
                let mean = (1...4).reduce(0) { $0 + token($1) } / 4
                let variance = (1...4).reduce(0) { $0 + (token($1) - mean) * (token($1) - mean) } / 4
                let row = image * 48 + channel
                #expect(abs(Double(found[row]) - token(0)) < 1e-5)
                #expect(abs(Double(found[row + 16]) - mean) < 1e-5)
                #expect(abs(Double(found[row + 32]) - variance.squareRoot()) < 1e-3)
            }
        }
    }

    /// A cache that a process left half written gives what is whole, and goes on from there.
    @Test func aCacheSurvivesAnInterruption() throws {
        try withTemporaryFolder { folder in
            do {
                let cache = try FeatureCache(folder: folder, name: "c", width: 2)
                try cache.append(["a", "b"], [1, 2, 3, 4])
            }
            // Half a row, and a key without its end.
            let matrix = try Data(contentsOf: URL(fileURLWithPath: folder + "/c.f32"))
            try (matrix + Data([1, 2, 3])).write(to: URL(fileURLWithPath: folder + "/c.f32"))
            let keys = try String(contentsOfFile: folder + "/c.keys", encoding: .utf8)
            try (keys + "half").write(toFile: folder + "/c.keys", atomically: true, encoding: .utf8)
            let cache = try FeatureCache(folder: folder, name: "c", width: 2)
            #expect(cache.count == 2 && cache.contains("b") && !cache.contains("half"))
            try cache.append(["c"], [5, 6])
            #expect(try cache.values(["c", "a"]) == [5, 6, 1, 2])
        }
    }

    @Test func columnsOfTreesAreThoseOfGalaxyZooCatalogs() throws {
        let target = MorphologyTarget.tree(.desi)
        let answers = [target.answer([Float](repeating: 0, count: target.outputCount))]
        let columns = MorphologyTable.columns(target, answers)
        let names = Set(columns.map(\.name))
        for name in [
            "smooth-or-featured_smooth_fraction", "spiral-arm-count_more-than-4_dirichlet", "bar_strong_fraction_std",
            "spiral-winding_parent", "morphology",
        ] { #expect(names.contains(name)) }
        let catalog = try Catalog(columns: columns)
        // Nobody knows anything: a third featured, half of these not edge-on, half of those spiral.
        let parent = try #require(catalog["spiral-winding_parent"]?.doubles)
        #expect(abs(parent[0] - 1.0 / 12) < 1e-6)
        #expect(columns.allSatisfy { $0.description != nil })
    }
}
