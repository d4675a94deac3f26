public import AstroIO
import Foundation
import ImageProcessing
import Tensors

/// The pictures of a set of objects, decoded once and kept in memory with 8 bits a pixel and band, for training epochs that do
/// not wait for a disk. Objects may have any number of bands each.
///
/// If asked to, it cuts fields, images with physical values of at least three times the picture's size on both sides, into tiles at
/// their own pixel scale. 20 000 colour pictures of 144 × 144 pixels take 1.2 GB.
public struct PretrainingCorpus: Sendable {
    /// A picture's place and meaning.
    private struct Entry: Sendable {
        var id: String
        var offset: Int
        /// Of its bands, nm.
        var wavelengths: [Float]
        /// Brightness of the sample 255.
        var scale: Float
    }

    /// Side of the stored pictures in pixels; larger than the stamps, so that augmentation can turn and shift.
    public let size: Int
    private var entries: [Entry] = []
    /// Bands × size × size of each picture after the other.
    private var samples: [UInt8] = []
    /// Objects that could not be used, with the reason.
    public private(set) var failures: [(id: String, reason: String)] = []
    private var sum = 0.0
    private var squares = 0.0

    public var count: Int { entries.count }
    public var ids: [String] { entries.map(\.id) }
    /// Mean of all brightness values.
    public var mean: Float { Float(sum / Double(max(1, samples.count))) }
    /// Their standard deviation.
    public var deviation: Float {
        let number = Double(max(1, samples.count))
        return Float(max(1e-6, squares / number - (sum / number) * (sum / number)).squareRoot())
    }

    /// Reads the objects on several threads.
    ///
    /// - Parameter progress: called with the number of objects done.
    public init(
        objects: [ObjectFiles], size: Int, crop: StampNormalization.Crop = .fraction(1),
        tilingFields: Bool = false, readers: Int = 2, progress: (Int) -> Void = { _ in }
    ) throws {
        self.init(size: size)
        let reader = StampReader(
            normalization: StampNormalization(size: size, crop: crop, mean: [0, 0, 0], deviation: [1, 1, 1]))
        try OrderedStream(readers: readers, workers: 1).run(
            count: objects.count,
            load: { index -> Result<[Picture], StampError> in
                Result { () throws(StampError) in
                    try Self.pictures(
                        of: objects[index], reader, size: size, tilingFields: tilingFields)
                }
            },
            process: { _, pictures in pictures },
            write: { index, pictures in
                switch pictures {
                case .success(let pictures): for picture in pictures { append(picture) }
                case .failure(let error): failures.append((objects[index].id, error.reason))
                }
                progress(index + 1)
                return true
            })
    }

    /// A corpus without pictures.
    public init(size: Int) { self.size = size }

    /// Adds an image's picture.
    public mutating func append(_ image: Image, id: String) { append(Self.picture(of: image, id: id, size: size)) }

    /// Reads a picture.
    ///
    /// - Returns: bands × size × size brightness values, and the wavelengths of the bands, nm.
    public func picture(_ index: Int) -> (planes: [Float], wavelengths: [Float]) {
        let entry = entries[index]
        let count = entry.wavelengths.count * size * size
        let factor = entry.scale / 255
        let planes = [Float](unsafeUninitializedCapacity: count) { planes, initialized in
            samples.withUnsafeBufferPointer { samples in
                for i in 0..<count { planes[i] = Float(samples[entry.offset + i]) * factor }
            }
            initialized = count
        }
        return (planes, entry.wavelengths)
    }

    // MARK: - Pictures

    private struct Picture: Sendable {
        var id: String
        var planes: [Float]
        var wavelengths: [Float]
    }

    private mutating func append(_ picture: Picture) {
        let scale = max(1, picture.planes.max() ?? 1)
        entries.append(
            Entry(id: picture.id, offset: samples.count, wavelengths: picture.wavelengths, scale: scale))
        for value in picture.planes {
            let value = value.isFinite ? min(max(value, 0), scale) : 0
            samples.append(UInt8((value / scale * 255).rounded()))
            sum += Double(value)
            squares += Double(value * value)
        }
    }

    private static func pictures(
        of object: ObjectFiles, _ reader: StampReader, size: Int, tilingFields: Bool
    ) throws(StampError) -> [Picture] {
        let image = try reader.image(of: object)
        if tilingFields, image.sampleMaximum == nil, min(image.width, image.height) >= 3 * size {
            return tiles(of: image, id: object.id, size: size)
        }
        let (planes, bands) = try reader.brightness(of: image, object)
        return [Picture(id: object.id, planes: planes, wavelengths: Passband.wavelengths(of: bands))]
    }

    private static func picture(of image: Image, id: String, size: Int) -> Picture {
        let side = min(image.width, image.height)
        let square = image.cropped(
            x: (image.width - side) / 2, y: (image.height - side) / 2, width: side, height: side)
        let resampler = Resampler(from: (side, side), to: (size, size))
        let planes = Composite.brightness(of: square).flatMap { resampler.resize($0).values }
        return Picture(id: id, planes: planes, wavelengths: Passband.wavelengths(of: image.bands))
    }

    private static func tiles(of image: Image, id: String, size: Int) -> [Picture] {
        let wavelengths = Passband.wavelengths(of: image.bands)
        var tiles: [Picture] = []
        for y in stride(from: 0, through: image.height - size, by: size) {
            for x in stride(from: 0, through: image.width - size, by: size) {
                let tile = image.cropped(x: x, y: y, width: size, height: size)
                let usable = tile.pixels.lazy.filter(\.isFinite).count
                guard tile.maskFraction < 0.5, 2 * usable > tile.pixels.count else { continue }
                tiles.append(
                    Picture(
                        id: "\(id)[\(x),\(y)]", planes: Composite.brightness(of: tile).flatMap { $0 },
                        wavelengths: wavelengths))
            }
        }
        return tiles
    }
}
