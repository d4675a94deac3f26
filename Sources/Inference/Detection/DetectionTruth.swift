/// What is known of the sources of a simulated field, to compare detections with.
public struct DetectionTruth: Sendable {
    /// One source.
    public struct Source: Sendable {
        /// Centre, pixels from 0.
        public var x: Double
        public var y: Double
        public var isStar: Bool
        /// Signal-to-noise ratio of a matched filter: √Σ (light / noise)² over its pixels. The best that any method can do.
        public var significance: Double
        /// AB magnitude, of the reference band; NaN where not known.
        public var magnitude: Double

        public init(x: Double, y: Double, isStar: Bool, significance: Double, magnitude: Double) {
            self.x = x
            self.y = y
            self.isStar = isStar
            self.significance = significance
            self.magnitude = magnitude
        }
    }

    public let width: Int
    public let height: Int
    public var sources: [Source]
    /// height × width: number of the source that owns the pixel, counted from 1; 0 for sky.
    public var map: [Int32]

    public init(width: Int, height: Int, sources: [Source], map: [Int32]) {
        precondition(map.count == width * height, "[DetectionTruth] expected \(width) × \(height) pixels")
        self.width = width
        self.height = height
        self.sources = sources
        self.map = map
    }
}
