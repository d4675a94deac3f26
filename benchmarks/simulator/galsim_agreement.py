"""Agreement of the simulator with GalSim: flux, pixels and growth curves of convolved profiles.

    python3 -m venv venv && venv/bin/pip install galsim astropy
    venv/bin/python benchmarks/simulator/galsim_agreement.py [LENTICULAR] [--fixture]

Draws each case with `lenticular simulate --components` (default program: .build/release/lenticular) and with GalSim, prints the
largest differences, and ends with status 1 where one is above 1 %. With --fixture it writes GalSim's growth curves to
Tests/Fixtures/simulation/growth_curves.json instead of comparing.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import galsim
import numpy as np
from astropy.io import fits

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZE, SCALE = 128, 0.262
RADII = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]  # pixels
GSPARAMS = galsim.GSParams(maximum_fft_size=32768, folding_threshold=1e-3, kvalue_accuracy=1e-6)
# kind, Sersic index, half-light radius (arcsec, major axis), axis ratio, position angle, PSF (beta, 0 Gaussian), FWHM
CASES = [("sersic", n, r, 1.0, 0.0, 3.0, f) for n in (0.5, 1.0, 2.5, 4.0) for r in (0.4, 1.5) for f in (0.8, 1.4)]
CASES += [("sersic", 1.0, r, q, 30.0, 3.0, f) for r in (1.0, 2.5) for q in (0.2, 0.5) for f in (0.8, 1.4)]
CASES += [("sersic", n, 1.2, 0.6, 110.0, 0.0, f) for n in (1.0, 4.0) for f in (0.7, 1.2)]
CASES += [("sersic", 1.0, 1.2, 0.6, 110.0, b, 1.0) for b in (2.5, 4.765)]
CASES += [("point", 0.0, 0.0, 1.0, 0.0, b, f) for b in (0.0, 2.5, 3.0) for f in (0.7, 1.2, 2.0)]


def reference(case):
    kind, n, radius, q, angle, beta, fwhm = case
    psf = galsim.Gaussian(fwhm=fwhm) if beta == 0 else galsim.Moffat(beta=beta, fwhm=fwhm, gsparams=GSPARAMS)
    if kind == "sersic":
        # GalSim's radius is that of a circle of the same area; angles are from +x, ours from +y, both anticlockwise.
        galaxy = galsim.Sersic(n=n, half_light_radius=radius * q**0.5, gsparams=GSPARAMS)
        galaxy = galaxy.shear(q=q, beta=(angle + 90) * galsim.degrees)
        psf = galsim.Convolve([galaxy, psf], gsparams=GSPARAMS)
    return psf.drawImage(nx=SIZE, ny=SIZE, scale=SCALE, method="auto", dtype=float).array


def own(case, program, folder):
    kind, n, radius, q, angle, beta, fwhm = case
    shape = {"sersic": {"index": n, "halfLightRadius": radius}} if kind == "sersic" else {"point": {}}
    scene = {"size": SIZE, "pixelScale": SCALE, "psf": {"moffat": {"beta": beta}} if beta else {"gaussian": {}},
             "fwhm": fwhm,
             "components": [{"shape": shape, "axisRatio": q, "positionAngle": angle, "flux": [1]}]}
    path = pathlib.Path(folder) / "scene.json"
    path.write_text(json.dumps(scene))
    subprocess.run([program, "simulate", "--components", path, "-o", f"{folder}/scene.fits", "-q"], check=True)
    return fits.getdata(f"{folder}/scene.fits").astype(float)


def growth(image):
    y, x = np.indices(image.shape) - (SIZE - 1) / 2
    return [float(image[np.hypot(x, y) <= r].sum()) for r in RADII]


def main():
    arguments = [a for a in sys.argv[1:] if a != "--fixture"]
    if "--fixture" in sys.argv:
        keys = ["kind", "index", "radius", "axisRatio", "angle", "beta", "fwhm"]
        cases = [dict(zip(keys, case)) | {"growth": [round(v, 6) for v in growth(reference(case))]} for case in CASES]
        path = ROOT / "Tests/Fixtures/simulation/growth_curves.json"
        path.write_text(json.dumps({"size": SIZE, "pixelScale": SCALE, "radii": RADII, "cases": cases}, indent=0))
        return 0
    program = arguments[0] if arguments else str(ROOT / ".build/release/lenticular")
    print(f"GalSim {galsim.__version__}; {SIZE} x {SIZE} pixels of {SCALE} arcsec")
    print("| profile | R_e | q | PSF | FWHM | flux in 48 px | growth curve, worst | pixel, worst of the peak |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            a, b = own(case, program, folder), reference(case)
            ratios = np.array(growth(a)) / np.array(growth(b)) - 1
            pixel = np.abs(a - b).max() / b.max()
            worst = max(worst, np.abs(ratios).max(), pixel)
            kind, n, radius, q, _, beta, fwhm = case
            print(f"| {kind} {n:g} | {radius:g} | {q:g} | {f'Moffat {beta:g}' if beta else 'Gaussian'} | {fwhm:g} "
                  f"| {100 * ratios[-1]:+.3f} % | {100 * ratios[np.abs(ratios).argmax()]:+.3f} % | {100 * pixel:.3f} % |")
    print(f"worst: {100 * worst:.3f} %")
    return int(worst > 0.01)


if __name__ == "__main__":
    sys.exit(main())
