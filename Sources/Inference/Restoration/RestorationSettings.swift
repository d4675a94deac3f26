public import ImageProcessing

/// What is to be done to an image.
public struct RestorationSettings: Sendable {
    /// Take the noise away. Changing the PSF and refining pixels do that too.
    public var denoises: Bool
    /// Give masked pixels, cosmic rays and trails values; else masked pixels stay as they are, and nothing is searched.
    public var fills: Bool
    /// The PSF of the image and the wanted one; nil keeps the PSF.
    public var psf: (from: PSFKernel, to: PSFKernel)?
    /// Pixels half as wide.
    public var refines: Bool

    public init(
        denoises: Bool = true, fills: Bool = true, psf: (from: PSFKernel, to: PSFKernel)? = nil, refines: Bool = false
    ) {
        self.denoises = denoises
        self.fills = fills
        self.psf = psf
        self.refines = refines
    }

    /// Whether every pixel gets a new value, and not only those that are filled.
    var replacesAll: Bool { denoises || psf != nil || refines }
}
