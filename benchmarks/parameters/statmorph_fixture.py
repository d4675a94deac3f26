"""Writes Tests/Fixtures/parameters/statmorph.json: statmorph's numbers for stamps that the Swift test makes by the same formulas.

    python3 -m venv VENV && VENV/bin/pip install statmorph photutils astropy
    VENV/bin/python benchmarks/parameters/statmorph_fixture.py
"""
import json
import pathlib
import warnings

import numpy as np
import statmorph
from scipy.special import gammaincinv

SIDE = 101


def noise(x, y, seed):
    """Numbers of variance 1 that every language computes alike."""
    value = np.sin(12.9898 * x + 78.233 * y + 3.7 * seed) * 43758.5453
    return (value - np.floor(value) - 0.5) * np.sqrt(12)


def sersic(x, y, amplitude, radius, n, x0, y0, ellip, theta):
    b = gammaincinv(2 * n, 0.5)
    u = (x - x0) * np.cos(theta) + (y - y0) * np.sin(theta)
    v = -(x - x0) * np.sin(theta) + (y - y0) * np.cos(theta)
    r = np.sqrt((u / radius) ** 2 + (v / ((1 - ellip) * radius)) ** 2)
    return amplitude * np.exp(-b * (r ** (1 / n) - 1))


def gaussian(fwhm, reach):
    y, x = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    psf = np.exp(-4 * np.log(2) * (x**2 + y**2) / fwhm**2)
    return psf / psf.sum()


CASES = [
    {"name": "disc", "n": 1.0, "radius": 8.0, "ellip": 0.45, "theta": 0.6, "amplitude": 1.0, "sigma": 0.05, "clump": 0.0, "psf": 0.0},
    {"name": "clumpy", "n": 1.5, "radius": 9.0, "ellip": 0.3, "theta": 2.2, "amplitude": 1.0, "sigma": 0.04, "clump": 4.0, "psf": 0.0},
    {"name": "convolved", "n": 2.5, "radius": 6.0, "ellip": 0.35, "theta": -0.5, "amplitude": 1.0, "sigma": 0.03, "clump": 0.0, "psf": 3.0},
]
NAMES = ["xc_asymmetry", "yc_asymmetry", "ellipticity_asymmetry", "orientation_asymmetry", "rpetro_circ", "rpetro_ellip",
         "rhalf_circ", "rhalf_ellip", "r20", "r50", "r80", "flux_circ", "flux_ellip", "gini", "m20", "gini_m20_bulge",
         "gini_m20_merger", "sn_per_pixel", "concentration", "asymmetry", "smoothness", "multimode", "intensity", "deviation",
         "rms_asymmetry2", "outer_asymmetry", "shape_asymmetry", "sersic_amplitude", "sersic_rhalf", "sersic_n", "sersic_ellip",
         "sersic_xc", "sersic_yc", "sky_mean", "sky_sigma"]


def main():
    warnings.simplefilter("ignore")
    import scipy.signal
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    results = []
    for number, case in enumerate(CASES):
        image = sersic(x, y, case["amplitude"], case["radius"], case["n"], 50.3, 49.6, case["ellip"], case["theta"])
        image += case["clump"] * np.exp(-((x - 58) ** 2 + (y - 54) ** 2) / (2 * 1.8**2))
        psf = gaussian(case["psf"], 7) if case["psf"] else None
        if psf is not None:
            image = scipy.signal.convolve2d(image, psf, mode="same")
        distance = np.hypot(x - 50.3, y - 49.6)
        labels = ((distance < 30) & (image > 1.5 * case["sigma"])).astype(int)
        image = image + case["sigma"] * noise(x, y, number)
        sigma = np.full(image.shape, case["sigma"])
        m = statmorph.SourceMorphology(image, labels, 1, weightmap=sigma, psf=psf)
        results.append({**case, "flag": int(m.flag), "flag_sersic": int(m.flag_sersic), "sum": float(image.sum()),
                        "values": {name: float(m[name]) for name in NAMES}})
        print(case["name"], m.flag, m.sersic_n, m.asymmetry, m.gini, m.m20)
    path = pathlib.Path(__file__).parents[2] / "Tests/Fixtures/parameters/statmorph.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"statmorph": statmorph.__version__, "side": SIDE, "cases": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
