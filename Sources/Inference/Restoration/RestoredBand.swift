import AstroIO
import ImageProcessing
import Models

/// One band, restored, in the image's unit; on pixels half as wide where they are refined.
struct RestoredBand {
    private(set) var pixels: [Float]
    private(set) var variance: [Float]
    private(set) var mask: [PixelMask]
    private let content: BandContent
    private let found: Int
    private let flux: FluxReport

    /// - Parameter restored: the network's answer to an input.
    init(
        _ content: BandContent, _ settings: RestorationSettings,
        restored: (_ input: RestorationInput, _ fine: Bool) -> TiledRestoration.Answer,
        calibration: RestorationConfiguration.Calibration
    ) {
        self.content = content
        let observed = content.pixels
        var valid = content.valid
        func input(_ filter: WienerFilter?) -> RestorationInput {
            RestorationInput(
                pixels: observed, valid: valid, noise: content.deviations, width: content.width,
                height: content.height, filter: filter)
        }
        // First look: what is not of the sky. Filters would spread it, and the second look sees it as masked.
        var first: (RestorationInput, TiledRestoration.Answer)?
        if settings.fills {
            let seen = input(nil)
            let answer = restored(seen, settings.refines && settings.psf == nil)
            for i in valid.indices where answer.artefact[i] > 0.5 { valid[i] = false }
            if valid == content.valid && settings.psf == nil { first = (seen, answer) }
        }
        found = zip(valid, content.valid).count { $1 && !$0 }
        let filter = settings.psf.map {
            WienerFilter(from: $0.from, to: $0.to, regularisations: RestorationInput.regularisations)
        }
        let seen = first?.0 ?? input(filter)
        var answer = first?.1 ?? restored(seen, settings.refines)
        FluxConservation.apply(to: &answer.restored, input: seen, valid: valid)
        flux = FluxReport(
            observed: observed, restored: answer.restored, valid: valid, width: content.width, height: content.height)

        let factor = settings.psf == nil ? calibration.denoise : calibration.deconvolve
        let count = content.stored.count
        (pixels, variance) = (content.stored, [Float](repeating: .nan, count: count))
        mask = content.mask
        let unit = content.noise
        for i in 0..<count {
            if valid[i] && !settings.replacesAll {
                variance[i] = unit * unit * content.deviations[i] * content.deviations[i]
                continue
            }
            // Masked pixels stay as they are where nothing is to be filled.
            guard valid[i] || settings.fills else {
                mask[i].insert(content.stored[i].isFinite && !mask[i].isEmpty ? [] : .noData)
                continue
            }
            pixels[i] = content.sky[i] + unit * answer.restored[i]
            let deviation = unit * factor * answer.deviation[i]
            let base = unit * FluxConservation.noise
            variance[i] = deviation * deviation + base * base
            if !valid[i] { mask[i] = mask[i].contains(.saturated) ? [.saturated, .interpolated] : .interpolated }
        }
        if settings.refines { refine(answer, factor: calibration.fine, fills: settings.fills, valid: valid) }
    }

    /// Divides pixels into four, which add up to them.
    private mutating func refine(
        _ answer: TiledRestoration.Answer, factor: Float, fills: Bool, valid: [Bool]
    ) {
        let (coarse, coarseVariance, coarseMask) = (pixels, variance, mask)
        let width = 2 * content.width
        pixels = answer.detail
        (variance, mask) = (answer.detail, [PixelMask](repeating: [], count: answer.detail.count))
        for i in pixels.indices {
            let from = i / width / 2 * content.width + i % width / 2
            let detail = valid[from] || fills ? content.noise * answer.detail[i] : 0
            let deviation = content.noise * factor * answer.detailDeviation[i]
            pixels[i] = coarse[from] / 4 + detail
            variance[i] = coarseVariance[from] / 16 + deviation * deviation
            mask[i] = coarseMask[from]
        }
    }

    func summary(_ name: String) -> RestoredImage.Band {
        RestoredImage.Band(
            name: name, noise: content.noise, noiseIsMeasured: content.noiseIsMeasured,
            masked: content.valid.count { !$0 }, found: found, flux: flux)
    }
}
