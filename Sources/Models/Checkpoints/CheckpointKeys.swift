/// Finds the parameters of a ``VisionTransformer`` among the names that different projects give them.
///
/// Known are timm's `VisionTransformer`, the hub checkpoints of DINOv2 (`register_tokens`, blocks in chunks:
/// `blocks.2.11.attn…`) and Hugging Face's `Dinov2Model` (`encoder.layer.11.attention.attention.query…`). Heads, decoders
/// and the mask token of pre-training are no part of the backbone and are left out.
struct CheckpointKeys {
    /// The project whose names these are; it also decides how positions are interpolated.
    enum Style {
        case timm
        case dinov2
        case huggingFace
    }

    /// Names in the file of the pieces that, joined along the first axis, make a parameter.
    private(set) var sources: [String: [String]] = [:]
    /// Names in the file that mean nothing here.
    private(set) var unknown: [String] = []
    let style: Style

    /// The names as they are: of files that this program wrote.
    init(exact names: [String]) {
        style = .timm
        for name in names { sources[name] = [name] }
    }

    init(_ names: [String]) {
        let prefix = Self.commonPrefix(names)
        let plain = names.map { (file: $0, name: $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0) }
        if plain.contains(where: { $0.name == "embeddings.cls_token" }) {
            style = .huggingFace
        } else if plain.contains(where: { $0.name == "mask_token" || $0.name == "register_tokens" }) {
            style = .dinov2
        } else {
            style = .timm
        }
        for (file, name) in plain where !Self.isIgnored(name) {
            let parameter = style == .huggingFace ? Self.fromHuggingFace(name) : Self.fromTimm(name)
            guard let (parameter, piece) = parameter else {
                unknown.append(file)
                continue
            }
            guard let piece else {
                sources[parameter] = [file]
                continue
            }
            if sources[parameter] == nil { sources[parameter] = ["", "", ""] }
            sources[parameter]![piece] = file
        }
    }

    /// What wrappers put before every name: `module.`, `backbone.`, `dinov2.` ….
    private static func commonPrefix(_ names: [String]) -> String {
        for name in names {
            for token in ["embeddings.cls_token", "cls_token"] where name.hasSuffix(token) {
                return String(name.dropLast(token.count))
            }
        }
        return ""
    }

    private static func isIgnored(_ name: String) -> Bool {
        name == "mask_token" || name == "embeddings.mask_token"
            || ["head.", "head_dist.", "classifier.", "decoder_"].contains { name.hasPrefix($0) }
    }

    private static func fromTimm(_ name: String) -> (parameter: String, piece: Int?)? {
        if name == "register_tokens" { return ("reg_token", nil) }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count > 3, parts[0] == "blocks", Int(parts[1]) != nil, Int(parts[2]) != nil {
            return ("blocks." + parts[2...].joined(separator: "."), nil)
        }
        return (name, nil)
    }

    private static func fromHuggingFace(_ name: String) -> (parameter: String, piece: Int?)? {
        let top = [
            "embeddings.cls_token": "cls_token", "embeddings.register_tokens": "reg_token",
            "embeddings.position_embeddings": "pos_embed",
            "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
            "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
            "layernorm.weight": "norm.weight", "layernorm.bias": "norm.bias",
        ]
        if let parameter = top[name] { return (parameter, nil) }
        let parts = name.split(separator: ".", maxSplits: 3).map(String.init)
        guard parts.count == 4, parts[0] == "encoder", parts[1] == "layer", Int(parts[2]) != nil else { return nil }
        let block = "blocks.\(parts[2])."
        for (piece, which) in ["query", "key", "value"].enumerated() {
            for kind in ["weight", "bias"] where parts[3] == "attention.attention.\(which).\(kind)" {
                return ("\(block)attn.qkv.\(kind)", piece)
            }
        }
        let inner = [
            "attention.output.dense.": "attn.proj.", "layer_scale1.lambda1": "ls1.gamma",
            "layer_scale2.lambda1": "ls2.gamma", "norm1.": "norm1.", "norm2.": "norm2.", "mlp.fc1.": "mlp.fc1.",
            "mlp.fc2.": "mlp.fc2.",
        ]
        for (theirs, ours) in inner where parts[3].hasPrefix(theirs) {
            return (block + ours + parts[3].dropFirst(theirs.count), nil)
        }
        return nil
    }
}
