public import Tensors

extension DetectionNetwork {
    /// What ``ModelFile`` calls it.
    public static let task = "detection"

    /// Writes weights and configuration.
    public func save(to path: String, metadata: [String: String] = [:]) throws(ModelError) {
        try ModelFile.save(self, task: Self.task, configuration: configuration, metadata: metadata, to: path)
    }

    /// Reads what ``save(to:metadata:)`` wrote.
    ///
    /// - Throws: ``ModelError`` for a file of another task, and naming tensors that do not fit.
    public static func load(path: String, backend: any Backend) throws(ModelError) -> DetectionNetwork {
        try ModelFile.load(path: path, task: task, backend: backend) {
            (configuration: DetectionConfiguration, source) throws(ModelError) in
            try DetectionNetwork(configuration, from: source)
        }.network
    }

    /// The same weights with other thresholds.
    public func with(thresholds: DetectionThresholds) -> DetectionNetwork {
        var copy = self
        copy.configuration.thresholds = thresholds
        return copy
    }
}
