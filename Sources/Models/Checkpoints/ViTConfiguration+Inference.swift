import Tensors

extension ViTConfiguration {
    /// The configuration that the shapes of a checkpoint's tensors imply.
    ///
    /// Two things no shape says: the number of heads (64 channels a head unless given, as in all published sizes), and
    /// how positions are resized (as the project does whose names the file uses).
    init(
        inferredFrom file: Safetensors, keys: CheckpointKeys, heads: Int?
    ) throws(ModelError) {
        func failure(_ reason: String, missing: [String] = []) -> ModelError {
            ModelError(.mismatchedCheckpoint, path: file.path, reason: reason, missing: missing)
        }
        func shape(_ parameter: String) -> [Int]? {
            keys.sources[parameter].flatMap { $0.first }.flatMap { file.entry($0)?.shape }
        }
        let needed = ["patch_embed.proj.weight", "pos_embed", "cls_token", "blocks.0.mlp.fc1.weight"]
        let missing = needed.filter { shape($0) == nil }
        guard missing.isEmpty else {
            throw failure("not a vision transformer with names of timm, DINOv2 or Hugging Face", missing: missing)
        }
        let (patch, positions, hidden) = (shape(needed[0])!, shape(needed[1])!, shape(needed[3])!)
        guard patch.count == 4, patch[2] == patch[3], patch[2] > 0, positions.count == 3, hidden.count == 2 else {
            throw failure(
                "patch embedding \(patch), positions \(positions) or feed-forward \(hidden) have no such shape")
        }
        let width = patch[0]
        guard let heads = heads ?? (width % 64 == 0 && width > 0 ? width / 64 : nil) else {
            throw failure("the number of heads cannot be inferred from width \(width); give it")
        }
        let registers = shape("reg_token").map { $0.count == 3 ? $0[1] : 0 } ?? 0
        let depth =
            keys.sources.keys.compactMap { name -> Int? in
                guard name.hasPrefix("blocks.") else { return nil }
                return Int(name.dropFirst(7).prefix { $0 != "." })
            }.max()! + 1

        let coverage: PositionCoverage
        if keys.style != .timm {
            coverage = .classAndPatches
        } else if Self.squareRoot(positions[1]) != nil {
            coverage = .patches
        } else {
            coverage = registers > 0 ? .all : .classAndPatches
        }
        let prefix =
            switch coverage {
            case .patches: 0
            case .classAndPatches: 1
            case .all: 1 + registers
            }
        guard let grid = Self.squareRoot(positions[1] - prefix) else {
            throw failure("\(positions[1]) positions are not those of a square of patches")
        }
        let interpolation: PositionEmbedding.Interpolation =
            switch keys.style {
            case .timm: .antialiased
            case .dinov2: registers > 0 ? .antialiased : .bicubicWithOffset
            case .huggingFace: registers > 0 ? .antialiased : .bicubic
            }
        self.init(
            imageSize: grid * patch[2], patchSize: patch[2], channels: patch[1], width: width, depth: depth,
            heads: heads, hiddenWidth: hidden[0], registers: registers, positionCoverage: coverage,
            interpolation: interpolation, layerScale: shape("blocks.0.ls1.gamma") != nil,
            qkvBias: shape("blocks.0.attn.qkv.bias") != nil)
    }

    private static func squareRoot(_ number: Int) -> Int? {
        guard number > 0 else { return nil }
        let root = Int(Double(number).squareRoot().rounded())
        return root * root == number ? root : nil
    }
}
