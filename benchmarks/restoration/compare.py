"""Restoration against classical methods on the same simulated observations.

    lenticular bench restoration -o FOLDER
    python3 -m venv venv && venv/bin/pip install numpy scipy scikit-image bm3d astropy matplotlib
    venv/bin/python benchmarks/restoration/compare.py FOLDER

Classical methods: scikit-image's non-local means, unsupervised Wiener, Wiener and Richardson-Lucy, bm3d (Makinen et al. 2020), and a
median filter. Where a method needs values of masked pixels it gets them from a normalised Gaussian convolution; for the
artefacts a median-based rejection goes first. Settings are chosen on the first quarter of the stamps (by mean PSNR), and
everything is judged on the others.

PSNR = 10 log10(peak^2 / MSE), peak = the largest pixel of the stamp's truth, its mean over the stamps; SSIM with data_range = the same
peak, 7 x 7 windows (scikit-image's default), equal for all. A border of 8 pixels is not judged, and stamps without a source of
5 sigma in a pixel neither. The noise is that of one survey exposure: a point source of magnitude 23.8 has S/N 5. Photometry: apertures of fixed radius 5 pixels and of 1, 2, 3 half-light radii around peaks
of the truth. Parameters: flux, half-light radius and index of an elliptical Sersic profile by least squares, the same fit on
every image; errors are against the fit on the truth.
"""
import argparse, itertools, json, warnings
import numpy as np
from astropy.io import fits
from scipy import ndimage, optimize
from skimage import restoration
from skimage.metrics import structural_similarity
import bm3d

warnings.filterwarnings("ignore")


def cube(path, name=0):
    data = fits.open(path)[name].data.astype(np.float64)
    return data[None] if data.ndim == 2 else data


BORDER = 8
ELECTRONS = 2800 * 0.0095  # a sigma of the sky: Poisson noise of the sources, which the benchmark's observations have


def inner(image, border=BORDER):
    return image[border:-border, border:-border]


def psnr(image, truth, border=BORDER):
    image, truth = inner(image, border), inner(truth, border)
    return 10 * np.log10(truth.max() ** 2 / np.mean((image - truth) ** 2))


def ssim(image, truth):
    image, truth = inner(image), inner(truth)
    return structural_similarity(image, truth, data_range=truth.max())


def filled(image, bad):
    result, todo = image.copy(), bad.copy()
    for sigma in (1, 2.5, 6, 15):
        weight = ndimage.gaussian_filter((~bad).astype(float), sigma)
        mean = ndimage.gaussian_filter(np.where(bad, 0, image), sigma) / np.maximum(weight, 1e-9)
        use = todo & (weight > 0.05)
        result[use] = mean[use]
        todo &= ~use
    result[todo] = 0
    return result


# ---- classical methods: image, standard deviation (1 on the sky), psf, target psf -> restored

def median(image, psf, target, size):
    return ndimage.median_filter(image, size)


def gaussian(image, psf, target, sigma):
    return ndimage.gaussian_filter(image, sigma)


def stabilised(image, function):
    """A denoiser for noise 1 between the transform that makes noise of variance 1 + x / ELECTRONS constant, and its inverse."""
    g = ELECTRONS
    y = function(2 * g * np.sqrt(np.maximum(1 + image / g, 1e-3)))
    return g * ((np.maximum(y, 0) / (2 * g)) ** 2 - 1)


def nlm(image, psf, target, h, stabilises):
    def denoise(x):
        return restoration.denoise_nl_means(x, patch_size=5, patch_distance=7, h=h, sigma=1.0, fast_mode=True)

    return stabilised(image, denoise) if stabilises else denoise(image)


def bm3d_(image, psf, target, sigma, stabilises):
    def denoise(x):
        return bm3d.bm3d(x, sigma_psd=sigma, stage_arg=bm3d.BM3DStages.ALL_STAGES)

    return stabilised(image, denoise) if stabilises else denoise(image)


def convolved(image, kernel):
    from scipy.signal import fftconvolve
    r = kernel.shape[0] // 2
    return fftconvolve(np.pad(image, r, mode="reflect"), kernel, mode="valid")


def wiener(image, psf, target, balance):
    return convolved(restoration.wiener(image, psf, balance, clip=False), target)


def unsupervised(image, psf, target, _):
    result, _ = restoration.unsupervised_wiener(image, psf, clip=False, rng=1)
    return convolved(result, target)


def richardson_lucy(image, psf, target, iterations, smooth):
    # Richardson-Lucy needs positive values: a pedestal of 10 sigma, taken away again.
    x = ndimage.gaussian_filter(image, smooth) if smooth else image
    kernel = convolved(np.pad(psf, 8), ndimage_gaussian(smooth)) if smooth else psf
    result = restoration.richardson_lucy(np.maximum(x + 10, 1e-3), kernel / kernel.sum(), num_iter=iterations, clip=False)
    return convolved(result - 10, target)


def ndimage_gaussian(sigma):
    box = np.zeros((17, 17))
    box[8, 8] = 1
    return ndimage.gaussian_filter(box, sigma)


def bm3d_wiener(image, psf, target, sigma, balance):
    return wiener(bm3d_(image, psf, target, sigma, True), psf, target, balance)


METHODS = {
    "denoise": {
        "median": (median, [(3,), (5,)]),
        "gaussian": (gaussian, [(0.7,), (1.0,), (1.4,)]),
        "nl means": (nlm, list(itertools.product((0.8, 1.0, 1.4), (False, True)))),
        "bm3d": (bm3d_, list(itertools.product((1.0, 1.2, 1.5, 2.0), (False, True)))),
    },
    "deconvolve": {
        "wiener": (wiener, [(0.001,), (0.01,), (0.03,), (0.1,), (0.3,), (1.0,)]),
        "unsupervised wiener": (unsupervised, [(0,)]),
        "richardson-lucy": (richardson_lucy, list(itertools.product((3, 5, 10, 20, 40), (0, 1.0)))),
        "bm3d + wiener": (bm3d_wiener, list(itertools.product((1.0, 1.4), (0.0001, 0.0005, 0.002, 0.01)))),
    },
}
METHODS["artefacts"] = METHODS["denoise"]


def without_rays(image, sigma=6):
    """Pixels far above the median of their surroundings, relative to it: marked as bad."""
    local = ndimage.median_filter(image, 5)
    return (image - local) > sigma * np.sqrt(1 + (0.3 * np.abs(local)) ** 2)


# ---- measurements

def sources(truth):
    """Bright, isolated peaks away from the edge, with their half-light radii in the truth."""
    smooth = ndimage.gaussian_filter(truth, 1)
    peaks = np.argwhere((smooth == ndimage.maximum_filter(smooth, 15)) & (smooth > 4))
    y, x = np.mgrid[: truth.shape[0], : truth.shape[1]]
    found = []
    for row, column in peaks:
        if min(row, column, truth.shape[0] - 1 - row, truth.shape[1] - 1 - column) < 14:
            continue
        others = [p for p in peaks if 0 < np.hypot(*(p - (row, column))) < 20]
        if any(smooth[tuple(p)] > 0.2 * smooth[row, column] for p in others):
            continue
        r = np.hypot(x - column, y - row)
        inside = r < 14
        order = np.argsort(r[inside])
        growth = np.cumsum(truth[inside][order])
        if growth[-1] <= 0:
            continue
        half = r[inside][order][np.searchsorted(growth, growth[-1] / 2)]
        found.append((row, column, max(half, 1.0)))
    return found


def aperture(image, row, column, radius):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    # soft edge of a pixel: the same for all images
    weight = np.clip(radius + 0.5 - np.hypot(x - column, y - row), 0, 1)
    return (image * weight).sum()


def sersic_fit(image, row, column, size=12):
    """Least squares of an elliptical Sersic profile on a cut-out: flux, half-light radius, index."""
    cut = image[row - size : row + size + 1, column - size : column + size + 1]
    y, x = np.mgrid[-size : size + 1, -size : size + 1]

    def model(p):
        amplitude, x0, y0, logr, logn, e1, e2, sky = p
        n, re = np.exp(logn), np.exp(logr)
        dx, dy = x - x0, y - y0
        r2 = (1 + e1) * dx**2 + (1 - e1) * dy**2 + 2 * e2 * dx * dy
        b = 2 * n - 1 / 3 + 4 / (405 * n)
        return np.exp(amplitude) * np.exp(-b * ((np.sqrt(np.maximum(r2, 0) + 0.05) / re) ** (1 / n) - 1)) + sky

    start = [np.log(max(cut[size, size] / 5, 0.1)), 0, 0, np.log(3.0), 0.0, 0, 0, 0]
    low = [-8, -3, -3, np.log(0.5), np.log(0.25), -0.8, -0.8, -5]
    high = [14, 3, 3, np.log(20), np.log(8), 0.8, 0.8, 5]
    fit = optimize.least_squares(lambda p: (model(p) - cut).ravel(), start, bounds=(low, high), max_nfev=200)
    total = model(fit.x).sum() - fit.x[-1] * cut.size
    return total, np.exp(fit.x[3]), np.exp(fit.x[4])


def scatter(values):
    values = np.asarray(values)
    values = values[np.isfinite(values)]
    return 0.5 * (np.percentile(values, 84.13) - np.percentile(values, 15.87)) if len(values) > 3 else np.nan


def photometry(images, truths, minimum):
    """Median and scatter of flux / truth - 1 in apertures, for sources whose truth is above `minimum` (in sigma of the aperture)."""
    result = {}
    for label in ("r=5", "1 re", "2 re", "3 re"):
        errors = []
        for image, truth in zip(images, truths):
            for row, column, half in sources(truth):
                radius = 5 if label == "r=5" else min(int(label[0]) * half, 13)
                true = aperture(truth, row, column, radius)
                if true > minimum * np.sqrt(np.pi) * radius:
                    errors.append(aperture(image, row, column, radius) / true - 1)
        result[label] = (float(np.median(errors)), float(scatter(errors)), len(errors))
    return result


def parameters(images, truths, reference):
    names = ("flux", "half-light radius", "sersic index")
    errors = {name: [] for name in names}
    for image, truth, fits_of_truth in zip(images, truths, reference):
        for (row, column, _), expected in zip(sources(truth), fits_of_truth):
            try:
                got = sersic_fit(image, row, column)
            except Exception:
                got = (np.nan,) * 3
            for name, a, b in zip(names, got, expected):
                errors[name].append(np.log(max(a, 1e-3) / max(b, 1e-3)))
    return {name: float(scatter(values)) for name, values in errors.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--json")
    parser.add_argument("--stamps", type=int, default=10**6)
    arguments = parser.parse_args()
    folder = arguments.folder
    psf, target = fits.getdata(folder + "/psf.fits").astype(float), fits.getdata(folder + "/target_psf.fits").astype(float)
    report = {}
    for kind, methods in METHODS.items():
        observed, mask = cube(f"{folder}/{kind}_observed.fits"), cube(f"{folder}/{kind}_observed.fits", "MASK") != 0
        truth, ours = cube(f"{folder}/{kind}_truth.fits"), cube(f"{folder}/{kind}_restored.fits")
        sigma = cube(f"{folder}/{kind}_restored.fits", "UNCERTAINTY")
        count = min(len(truth), arguments.stamps)
        seen = [i for i in range(count) if inner(truth[i]).max() > 5]
        tuning, judged = seen[: len(seen) // 4], seen[len(seen) // 4 :]
        prepared = {}
        for i in seen:
            bad = mask[i] | without_rays(observed[i]) if kind == "artefacts" else mask[i]
            prepared[i] = filled(observed[i], bad)
        images = {"observed": [prepared[i] for i in judged], "lenticular": [ours[i] for i in judged]}
        for name, (method, choices) in methods.items():
            scores = [np.mean([psnr(method(prepared[i], psf, target, *c), truth[i]) for i in tuning]) for c in choices]
            best = choices[int(np.argmax(scores))]
            images[f"{name} {best}"] = [method(prepared[i], psf, target, *best) for i in judged]
        truths = [truth[i] for i in judged]
        minimum = 10
        rows = {}
        print(f"\n{kind}: {len(truths)} stamps judged, {len(tuning)} to choose settings, {count - len(seen)} without a source")
        print(f"{'method':34} {'PSNR':>6} {'SSIM':>6}   aperture bias ± scatter, %: r=5, 1 re, 2 re, 3 re")
        for name, restored in images.items():
            quality = (
                float(np.mean([psnr(a, b) for a, b in zip(restored, truths)])),
                float(np.mean([ssim(a, b) for a, b in zip(restored, truths)])),
            )
            phot = photometry(restored, truths, minimum)
            rows[name] = {"psnr": quality[0], "ssim": quality[1], "photometry": phot}
            cells = "  ".join(f"{100 * m:+5.2f} ± {100 * s:4.2f}" for m, s, _ in phot.values())
            print(f"{name:34} {quality[0]:6.2f} {quality[1]:6.4f}   {cells}")
        print(f"  {phot['r=5'][2]} sources")
        best = max((n for n in images if n not in ("observed", "lenticular")), key=lambda n: rows[n]["psnr"])
        gains = [psnr(a, t) - psnr(b, t) for a, b, t in zip(images["lenticular"], images[best], truths)]
        rows["gain"] = {"over": best, "mean": float(np.mean(gains)), "deciles": [float(v) for v in np.percentile(gains, (10, 50, 90))]}
        print(f"  lenticular over {best}: {np.mean(gains):+.2f} dB, tenth, median, ninth stamp", "{:+.2f} {:+.2f} {:+.2f}".format(*rows["gain"]["deciles"]))
        z = np.abs(ours - truth)[list(judged)] / sigma[list(judged)]
        rows["coverage"] = {"1 sigma": float(np.mean(z < 1)), "2 sigma": float(np.mean(z < 2)), "3 sigma": float(np.mean(z < 3))}
        print("  truths within 1, 2, 3 stated sigma:", ", ".join(f"{v:.3f}" for v in rows["coverage"].values()))
        if kind != "artefacts":
            reference = [[sersic_fit(t, r, c) for r, c, _ in sources(t)] for t in truths]
            degraded_truth = truths
            if kind == "deconvolve":
                # the degraded image has another PSF: its errors are against the noiseless image at that PSF
                degraded_truth = [cube(f"{folder}/denoise_truth.fits")[i] for i in judged]
            other = [[sersic_fit(t, r, c) for r, c, _ in sources(s)] for t, s in zip(degraded_truth, truths)]
            before = parameters(images["observed"], truths, other)
            after = parameters(images["lenticular"], truths, reference)
            rows["parameters"] = {"degraded": before, "restored": after}
            print("  scatter of ln(measured / truth) by a Sersic fit, degraded -> restored (ratio):")
            for name in before:
                print(f"    {name:18} {before[name]:.4f} -> {after[name]:.4f}  ({before[name] / after[name]:.1f})")
        fine, fine_truth = cube(f"{folder}/{kind}_fine.fits"), cube(f"{folder}/{kind}_fine_truth.fits")
        cubic = [ndimage.zoom(image, 2, order=3, grid_mode=True, mode="nearest") / 4 for image in images[best]]
        a = np.mean([psnr(fine[i], fine_truth[i], 2 * BORDER) for i in judged])
        b = np.mean([psnr(c, fine_truth[i], 2 * BORDER) for c, i in zip(cubic, judged)])
        rows["x2"] = {"lenticular": float(a), f"{best} + cubic": float(b)}
        print(f"  x2: PSNR lenticular {a:.2f}, {best} + cubic {b:.2f}")
        report[kind] = rows
    if arguments.json:
        json.dump(report, open(arguments.json, "w"), indent=1)


if __name__ == "__main__":
    main()
