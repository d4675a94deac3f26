import AstroIO
import ImageProcessing
import TestSupport
import Testing

@Suite(.enabled(if: DevelopmentImages.areInstalled)) struct RealGalaxyTests {
    /// statmorph 0.7.2's numbers for GAMA G266662, by benchmarks/parameters/statmorph_compare.py.
    @Test(arguments: [
        (
            "kids",
            [
                "gini": 0.55539, "m20": -2.09953, "concentration": 3.49579, "asymmetry": 0.01714, "smoothness": 0.01234,
                "rpetro_ellip": 46.41756, "rhalf_ellip": 19.1507, "shape_asymmetry": 0.17651, "sn_per_pixel": 24.93757,
                "sersic_n": 1.77365, "sersic_rhalf": 20.37798,
            ]
        ),
        (
            "sdss",
            [
                "gini": 0.5537, "m20": -2.03208, "concentration": 3.36585, "asymmetry": 0.01628, "smoothness": 0.00471,
                "rpetro_ellip": 27.61918, "rhalf_ellip": 11.24342, "shape_asymmetry": 0.19466, "sn_per_pixel": 10.41249,
                "sersic_n": 2.23565, "sersic_rhalf": 11.2731,
            ]
        ),
    ])
    func agreesWithStatmorph(survey: String, expected: [String: Double]) throws {
        func read(_ kind: String) throws -> Image {
            try ImageReader.read(DevelopmentImages.path("profit_gama/\(survey)/G266662_\(kind).fits"))
        }
        let (image, sigma, labels) = (try read("image"), try read("sigma"), try read("segmentation"))
        let (mask, psf) = (try read("mask"), try read("psf"))
        func plane(_ image: Image) -> Plane<Double> {
            Plane(width: image.width, height: image.height, values: image.pixels.map { Double($0) })
        }
        let segmentation = plane(labels).map { Int32($0) }
        var fit = SersicFit.Settings()
        fit.integratesPixels = false
        let result = SourceMorphology.measure(
            MorphometryInput(
                light: plane(image), segmentation: segmentation,
                label: segmentation[image.width / 2, image.height / 2], masked: plane(mask).map { $0 != 0 },
                sigma: plane(sigma), psf: plane(psf)), fit: fit)
        #expect(result.flag == 0 && result.flagSersic == 0)
        for (name, value) in expected {
            #expect(
                abs(result[name] - value) < 0.01 * max(abs(value), 0.1), "\(name): \(result[name]), statmorph \(value)")
        }
    }
}
