public import Tensors

/// What a morphology model is, apart from its weights.
public struct MorphologyConfiguration: Codable, Sendable, Hashable {
    public var target: MorphologyTarget
    public var pooling: MorphologyPooling
    /// Width of the backbone's tokens.
    public var tokenWidth: Int
    /// Width between the layers of the head; 0 for a linear one.
    public var hidden: Int
    /// Classifiers in the head that are averaged.
    public var members: Int
    /// Views of an image that are averaged: 1, 4 or 8.
    public var views: Int
    public var calibration: MorphologyCalibration
    /// The backbone, where it is part of the model; nil for a head on one that is kept elsewhere.
    public var backbone: ViTConfiguration?
    /// Name and digest (SHA-256) of the backbone's file, where it is kept elsewhere.
    public var backboneName: String?
    public var backboneDigest: String?

    public init(
        target: MorphologyTarget, pooling: MorphologyPooling, tokenWidth: Int, hidden: Int, members: Int, views: Int,
        calibration: MorphologyCalibration = MorphologyCalibration(), backbone: ViTConfiguration? = nil,
        backboneName: String? = nil, backboneDigest: String? = nil
    ) {
        self.target = target
        self.pooling = pooling
        self.tokenWidth = tokenWidth
        self.hidden = hidden
        self.members = members
        self.views = views
        self.calibration = calibration
        self.backbone = backbone
        self.backboneName = backboneName
        self.backboneDigest = backboneDigest
    }

    /// Numbers in the vector that the head sees.
    public var featureWidth: Int { pooling.width(tokenWidth: tokenWidth) }

    func validate() throws(ModelError) {
        let depth = backbone?.depth ?? .max
        let sound =
            !pooling.layers.isEmpty && pooling.layers.allSatisfy { (1...depth).contains($0) }
            && !pooling.statistics.isEmpty && tokenWidth > 0 && hidden >= 0 && (1...1024).contains(members)
            && [1, 4, 8].contains(views) && target.outputCount > 0 && !calibration.temperatures.isEmpty
            && calibration.temperatures.allSatisfy { $0 > 0 } && calibration.concentration > 0
            && (backbone.map { $0.width == tokenWidth } ?? (backboneDigest != nil))
        guard sound else {
            throw ModelError(.invalidConfiguration, reason: "the settings describe no possible morphology model")
        }
        switch target {
        case .labels(let names)
        where calibration.temperatures.count != 1 && calibration.temperatures.count != names.count:
            throw ModelError(.invalidConfiguration, reason: "there are not as many temperatures as labels")
        // A file's tree did not pass the checks of the initialiser.
        case .tree(let tree): _ = try DecisionTree(name: tree.name, questions: tree.questions)
        default: break
        }
    }
}

/// A head, and the backbone where that was trained with it.
public struct MorphologyNetwork: Module {
    /// `task` of its files, see ``ModelFile``.
    public static let task = "morphology"

    public var backbone: VisionTransformer?
    public var head: MorphologyHead
    public let pooling: MorphologyPooling

    /// - Throws: ``ModelError``.
    public init(_ configuration: MorphologyConfiguration, from source: ParameterSource) throws(ModelError) {
        try configuration.validate()
        if let vit = configuration.backbone {
            backbone = try VisionTransformer(vit, from: source["backbone"])
        }
        pooling = configuration.pooling
        head = MorphologyHead(
            configuration.featureWidth, hidden: configuration.hidden, outputs: configuration.target.outputCount,
            members: configuration.members, from: source["head"])
    }

    /// A network of parts.
    public init(backbone: VisionTransformer?, head: MorphologyHead, pooling: MorphologyPooling) {
        self.backbone = backbone
        self.head = head
        self.pooling = pooling
    }

    /// Overwrites the weights with those of a backbone and a head of the same shapes, which may live on other backends.
    public func takeWeights(backbone source: VisionTransformer, head sourceHead: MorphologyHead) {
        let own = (backbone?.parameters ?? []) + head.parameters
        for (own, given) in zip(own, source.parameters + sourceHead.parameters) {
            own.tensor.copyValues(from: given.tensor.detached)
        }
    }

    /// The pooled vectors of images, by its own backbone.
    public func features(_ images: Tensor, _ execution: Execution) -> Tensor {
        guard let backbone else { preconditionFailure("[MorphologyNetwork] expected a backbone of its own") }
        return pooling.features(of: images, backbone, execution)
    }

    public mutating func forEachParameter(
        at path: String, _ body: (Parameter, inout Tensor) throws -> Void
    ) rethrows {
        try backbone?.forEachParameter(at: path + "backbone.", body)
        try head.forEachParameter(at: path + "head.", body)
    }
}
