public import AstroIO

/// The files that make up one object: one image, or one file a band, and the planes that say how far to trust them.
public struct ObjectFiles: Sendable, Equatable {
    /// One file with pixels.
    public struct Plane: Sendable, Equatable {
        /// The band its name says, for an object of several files.
        public var band: String?
        public var path: String
        /// Inverse variance, by file-name convention.
        public var weight: String?
        /// Standard deviation.
        public var sigma: String?
        public var variance: String?
        /// Data quality; non-zero is bad.
        public var mask: String?

        public init(band: String? = nil, path: String) {
            self.band = band
            self.path = path
        }

        /// What the image reader is to read.
        public var source: ImageReader.Source {
            ImageReader.Source(
                band: band, path: path, weight: weight, sigma: sigma, variance: variance, mask: mask)
        }
    }

    /// Unique among the objects found together.
    public var id: String
    public var planes: [Plane]
    /// Another object would have had the same name; this one carries its folder to be unique.
    public var hadDuplicateID = false

    public init(id: String, planes: [Plane]) {
        self.id = id
        self.planes = planes
    }

    /// The image files, in the order of the planes.
    public var paths: [String] { planes.map(\.path) }
}

/// A folder or list that gives no objects to work on.
public struct DiscoveryError: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "\(path): \(reason)" }
}
