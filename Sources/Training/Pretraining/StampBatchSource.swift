public import Tensors

/// Where training takes its images from: numbered stamps of one size, normalised as they will be at inference.
///
/// Workers ask for different stamps at the same time.
public protocol StampBatchSource: Sendable {
    /// Number of stamps.
    var count: Int { get }
    var channels: Int { get }
    /// Side of a stamp, pixels.
    var size: Int { get }
    /// A stamp as inference would see it: channels × size × size numbers.
    func stamp(_ index: Int) throws -> [Float]
    /// The same object as it could have been seen: turned, mirrored, a little larger or smaller. The result depends on
    /// the index and the state of `random` only.
    func augmentedStamp(_ index: Int, random: inout RandomNumbers) throws -> [Float]
}
