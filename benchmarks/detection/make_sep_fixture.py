"""Values of Python's sep for a synthetic image (made with sep 1.2.1, the version of Debian's libsep), which Tests/ImageProcessingTests/Detection compares ours with.

The image is made of integer arithmetic and Gaussians, the same in Swift: `python make_sep_fixture.py FOLDER`.
"""

import json
import sys

import numpy as np
import sep

SIDE = 192
SOURCES = [  # x, y, peak, sigma along the axes, angle
    (40.3, 50.7, 60.0, 2.2, 1.6, 0.5), (48.1, 54.2, 35.0, 1.7, 1.7, 0.0), (100.0, 30.5, 200.0, 1.8, 1.8, 0.0),
    (150.4, 90.2, 25.0, 6.0, 3.0, -0.7), (20.8, 150.3, 12.0, 2.0, 2.0, 0.0), (120.6, 140.9, 90.0, 4.0, 2.0, 1.2),
    (128.0, 147.5, 50.0, 2.0, 2.0, 0.0), (1.5, 100.2, 70.0, 2.0, 2.0, 0.0), (75.2, 185.0, 8.0, 3.0, 2.5, 0.2),
]


def image():
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    plane = 100 + 0.05 * x + 0.02 * y
    for cx, cy, peak, a, b, angle in SOURCES:
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
        plane += peak * np.exp(-0.5 * ((u / a) ** 2 + (v / b) ** 2))
    state, noise = 12345, np.empty(SIDE * SIDE)
    for i in range(SIDE * SIDE):
        total = 0.0
        for _ in range(4):
            state = (state * 1103515245 + 12345) % 2147483648
            total += state / 2147483648
        noise[i] = (total - 2) * 3
    return (plane + noise.reshape(SIDE, SIDE)).astype(np.float32)


def main(folder):
    data = image()
    mask = np.zeros(data.shape, bool)
    mask[60:64, 98:104] = True
    background = sep.Background(data, mask=mask)
    flat, noise = data - background.back(), background.rms()
    found, segments = sep.extract(
        flat, 1.5, err=noise, mask=mask, filter_type="conv", segmentation_map=True)
    number = np.arange(len(found)) + 1
    shape = [found[name] for name in ("x", "y", "a", "b", "theta")]
    kron, _ = sep.kron_radius(flat, *shape, 6.0, mask=mask, seg_id=number, segmap=segments)
    flux, error, flag = sep.sum_ellipse(
        flat, *shape, 2.5 * kron, err=noise, mask=mask, subpix=1, seg_id=number, segmap=segments)
    small = kron * np.sqrt(found["a"] * found["b"]) < 1.75
    if small.any():
        flux[small], error[small], flag[small] = sep.sum_circle(
            flat, found["x"][small], found["y"][small], 1.75, err=noise, mask=mask, subpix=1,
            seg_id=number[small], segmap=segments)
    radius, _ = sep.flux_radius(
        flat, found["x"], found["y"], 6 * found["a"], 0.5, normflux=flux, mask=mask, subpix=5, seg_id=number,
        segmap=segments)
    columns = {name: found[name].tolist() for name in ("x", "y", "a", "b", "theta", "npix", "flag", "xmin", "ymax")}
    columns |= {
        "kron": kron.tolist(), "flux": flux.tolist(), "fluxError": error.tolist(), "radius": radius.tolist(),
        "globalLevel": float(background.globalback), "globalNoise": float(background.globalrms),
        "corner": float(data[0, 0]), "pixelSum": float(data.astype(np.float64).sum()),
    }
    with open(folder + "/sep_reference.json", "w") as file:
        json.dump(columns, file, indent=1)
        file.write("\n")
    print(len(found), "sources, sep", sep.__version__)


main(sys.argv[1])
