"""Compares the classical set of `lenticular measure` with statmorph on real and simulated galaxies.

    python3 -m venv VENV && VENV/bin/pip install statmorph photutils astropy
    lenticular bench parameters --scenes 100 --stamps SIMULATED
    VENV/bin/python benchmarks/parameters/statmorph_compare.py --lenticular .build/release/lenticular \
        --data ../shared/data --simulated SIMULATED --work WORK --json statmorph.json

Both get the same images, sigma maps, segmentations, masks and PSFs; nothing is subtracted. For each quantity the table has the
median and the 90th percentile of |lenticular - statmorph|, relative for lengths, fluxes and the Sersic fit, else absolute.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import time
import warnings

import numpy as np
import statmorph
from astropy.convolution import Gaussian2DKernel, convolve
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from astropy.table import Table
from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

ABSOLUTE = ["gini", "m20", "gini_m20_bulge", "gini_m20_merger", "concentration", "asymmetry", "smoothness", "multimode",
            "intensity", "deviation", "outer_asymmetry", "shape_asymmetry", "ellipticity_centroid", "ellipticity_asymmetry",
            "xc_asymmetry", "yc_asymmetry", "sersic_ellip"]
RELATIVE = ["rpetro_circ", "rpetro_ellip", "rhalf_circ", "rhalf_ellip", "r20", "r50", "r80", "flux_circ", "flux_ellip",
            "sn_per_pixel", "sky_sigma", "sersic_rhalf", "sersic_n", "sersic_amplitude"]


def segment(image, threshold=1.5, area=10):
    smooth = convolve(image, Gaussian2DKernel(1.5))
    _, _, deviation = sigma_clipped_stats(smooth)
    found = detect_sources(smooth, 3 * deviation * threshold / 1.5, area)
    return deblend_sources(smooth, found, area, contrast=0.02, progress_bar=False) if found is not None else None


def write(work, name, image, sigma, labels, psf=None, mask=None):
    planes = {"image": image, "sigma": sigma, "segmentation": labels.astype(np.int32)}
    if psf is not None:
        planes["psf"] = psf / psf.sum()
    if mask is not None and mask.any():
        planes["mask"] = mask.astype(np.int16)
    for kind, plane in planes.items():
        plane = plane.astype(np.float32) if plane.dtype.kind == "f" else plane
        fits.PrimaryHDU(np.ascontiguousarray(plane)).writeto(work / f"{name}_{kind}.fits", overwrite=True)


def prepare_profit(data, work):
    for survey in ["kids", "sdss"]:
        for path in sorted((data / "profit_gama" / survey).glob("*_image.fits")):
            stem = path.name.replace("_image.fits", "")
            read = lambda kind: fits.getdata(path.with_name(f"{stem}_{kind}.fits")).astype(float)
            labels = read("segmentation").astype(int)
            if labels[labels.shape[0] // 2, labels.shape[1] // 2] == 0:
                continue
            write(work, f"{survey}-{stem}", read("image"), read("sigma"), labels, read("psf"), read("mask") > 0)


def prepare_single(data, work):
    image = fits.getdata(data / "imfit_ic3478/ic3478rss_256.fits").astype(float)
    mask = fits.getdata(data / "imfit_ic3478/ic3478rss_256_mask.fits") > 0
    psf = fits.getdata(data / "imfit_ic3478/psf_moffat_51.fits").astype(float)
    _, sky, noise = sigma_clipped_stats(image[:, :40], mask=mask[:, :40])
    labels = segment(image - sky)
    write(work, "imfit-ic3478", image - sky, np.full(image.shape, noise), labels.data, psf, mask)
    for band in "gri":
        image = fits.getdata(data / f"sdss_ngc6976/reprojected_sdss_{band}.fits.bz2").astype(float)
        cut(work, f"ngc6976{band}band", image, 5, 301)
    image = fits.getdata(data / "legacysurvey_cutout/test_image.fits").astype(float)
    for band, plane in enumerate(np.atleast_3d(image) if image.ndim == 2 else image):
        cut(work, f"legacy{band}band", plane, 1, min(plane.shape))
    for band in ["g", "r", "Z"]:
        with fits.open(data / f"profound_9band/{band}.fits") as file:
            image = next(h.data for h in file if h.data is not None and h.data.ndim == 2).astype(float)
        cut(work, f"profound{band}band", image[200:1800, 200:1800], 12, 161)


def cut(work, name, image, count, side):
    """The brightest sources that lie inside, each with its surroundings."""
    image = np.where(np.isfinite(image), image, 0)
    _, sky, noise = sigma_clipped_stats(image)
    image = image - sky
    labels = segment(image)
    if labels is None:
        return
    sources = SourceCatalog(image, labels)
    order = np.argsort(-np.array(sources.segment_flux))
    half, done = side // 2, 0
    for index in order:
        x, y = int(sources.x_centroid[index]), int(sources.y_centroid[index])
        if labels.data[y, x] == 0 or sources.area[index].value < 60 or sources.max_value[index] > 0.5 * np.nanmax(image) and count > 1:
            continue
        if count > 1 and (x < half or y < half or x + half >= image.shape[1] or y + half >= image.shape[0]):
            continue
        rows = slice(max(0, y - half), y + half + 1)
        columns = slice(max(0, x - half), x + half + 1)
        part = image[rows, columns]
        segments = labels.data[rows, columns]
        if segments[part.shape[0] // 2, part.shape[1] // 2] != labels.data[y, x]:
            continue
        write(work, f"{name}{done:02d}", part, np.full(part.shape, noise), segments)
        done += 1
        if done == count:
            return


def prepare_simulated(folder, work, count):
    for path in sorted(folder.glob("*_image.fits"))[:count]:
        stem = path.name.replace("_image.fits", "")
        read = lambda kind: fits.getdata(path.with_name(f"{stem}_{kind}.fits")).astype(float)
        labels = read("segmentation").astype(int)
        if labels[labels.shape[0] // 2, labels.shape[1] // 2] != fits.getheader(path)["LABEL"]:
            continue
        write(work, f"sim-{stem}", read("image"), read("sigma"), labels, read("psf"))


def measure_statmorph(work, name):
    read = lambda kind: fits.getdata(work / f"{name}_{kind}.fits")
    image = read("image").astype(float)
    labels = read("segmentation").astype(int)
    label = labels[labels.shape[0] // 2, labels.shape[1] // 2]
    optional = {}
    if (work / f"{name}_psf.fits").exists():
        optional["psf"] = read("psf").astype(float)
    if (work / f"{name}_mask.fits").exists():
        optional["mask"] = read("mask") > 0
    start = time.process_time()
    result = statmorph.SourceMorphology(image, labels, label, weightmap=read("sigma").astype(float), **optional)
    return result, time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lenticular", default="lenticular")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--simulated", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=60, help="simulated stamps")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    work = options.work / "stamps"
    work.mkdir(parents=True, exist_ok=True)
    if options.data:
        prepare_profit(options.data, work)
        prepare_single(options.data, work)
    if options.simulated:
        prepare_simulated(options.simulated, work, options.count)
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    code = subprocess.run([options.lenticular, "measure", str(work), "-o", str(options.work / "run"), "--set", "classical",
                           "--no-sky-subtraction", "--pixel-centres", "--workers", "1", "--quiet"]).returncode
    if code not in (0, 3):
        raise SystemExit(f"lenticular ended with {code}")
    ours = Table.read(options.work / "run/catalog.ecsv")
    own_seconds = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start) / max(len(ours), 1)

    rows, seconds = [], []
    for row in ours:
        name = pathlib.Path(row["file_loc"]).name.replace("_image.fits", "")
        try:
            theirs, elapsed = measure_statmorph(work, name)
        except Exception as error:
            print(f"{name}: statmorph: {error}")
            continue
        seconds.append(elapsed)
        rows.append({"name": name, "flag": [int(row["flag"]), int(theirs.flag)],
                     "flag_sersic": [int(row["flag_sersic"]), int(theirs.flag_sersic)],
                     **{key: [float(row[key]), float(theirs[key])] for key in ABSOLUTE + RELATIVE}})
    report = {}
    for kind, keep in [("real", lambda n: not n.startswith("sim-")), ("simulated", lambda n: n.startswith("sim-"))]:
        good = [r for r in rows if keep(r["name"]) and max(r["flag"]) <= 1]
        if not good:
            continue
        print(f"\n{kind}: {len(good)} galaxies with flag <= 1 in both (of {sum(keep(r['name']) for r in rows)})\n")
        print("| quantity | difference | median | 90th percentile |\n| --- | --- | ---: | ---: |")
        report[kind] = {"galaxies": len(good)}
        for key in ABSOLUTE + RELATIVE:
            pairs = np.array([r[key] for r in good if -99 not in r[key] and (not key.startswith("sersic") or max(r["flag_sersic"]) == 0)])
            if len(pairs) == 0:
                continue
            difference = np.abs(pairs[:, 0] - pairs[:, 1])
            if key in RELATIVE:
                difference = difference / np.abs(pairs[:, 1])
            median, ninety = np.median(difference), np.percentile(difference, 90)
            report[kind][key] = {"median": median, "p90": ninety, "count": len(pairs)}
            print(f"| {key} | {'relative' if key in RELATIVE else 'absolute'} | {median:.4f} | {ninety:.4f} |")
    flags = sum(r["flag"][0] == r["flag"][1] for r in rows)
    print(f"\nequal flags: {flags} of {len(rows)}")
    print(f"seconds a galaxy: statmorph {np.mean(seconds):.2f}, lenticular (one core) {own_seconds:.3f}, ratio {np.mean(seconds) / own_seconds:.0f}")
    report["seconds"] = {"statmorph": float(np.mean(seconds)), "lenticular": own_seconds}
    report["equal_flags"] = [flags, len(rows)]
    if options.json:
        options.json.write_text(json.dumps({"summary": report, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
