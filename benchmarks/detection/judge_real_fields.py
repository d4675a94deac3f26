"""Judges the catalogs that real_fields.sh made: python judge_real_fields.py DATA OUT

Positions count from 0. A detection is a source when their centres are within the radius given, each used once, nearest first.
"""

import glob
import os
import sys

import numpy as np
from astropy.io import fits
from astropy.table import Table


def catalog(path):
    table = Table.read(path)
    table["x"], table["y"] = table["X_IMAGE"] - 1, table["Y_IMAGE"] - 1
    return table


def match(x, y, u, v, radius):
    """Index of the detection (u, v) for each source (x, y), -1 for none; pairs are made nearest first."""
    partner = np.full(len(x), -1)
    if len(x) == 0 or len(u) == 0:
        return partner
    distance = np.hypot(np.subtract.outer(x, u), np.subtract.outer(y, v))
    used = np.zeros(len(u), bool)
    for flat in np.argsort(distance, axis=None):
        i, j = np.unravel_index(flat, distance.shape)
        if distance[i, j] > radius:
            break
        if partner[i] < 0 and not used[j]:
            partner[i], used[j] = j, True
    return partner


def share(hits, total):
    return f"{hits / total:.3f} ({hits}/{total})" if total else "none"


def sdss(data, out, method, name):
    truth = Table.read(f"{data}/sdss_field_94_1_12/coadd_catalog.csv")
    point = truth["probpsf"] == 1
    extended = np.where(truth["fracdev_r"] > 0.5, truth["devmag_r"], truth["expmag_r"])
    magnitude = np.where(point, truth["psfmag_r"], extended)
    found = catalog(f"{out}/{method}/{name}/{'corner-r' if name == 'sdss_r' else 'corner-g'}_sources.fits")
    partner = match(truth["x_pixel0"], truth["y_pixel0"], found["x"], found["y"], 3)
    bins = []
    for low, high in ((0, 22), (22, 22.5), (22.5, 23)):
        inside = (magnitude >= low) & (magnitude < high)
        bins.append(f"r {low}–{high}: {share((partner[inside] >= 0).sum(), inside.sum())}")
    # The single-epoch catalog has sources that the coadd's lacks (saturated stars): they count as true, but are not asked for.
    photo = Table.read(f"{data}/sdss_field_94_1_12/photo_catalog.csv")
    photo = photo[photo["nchild"] == 0]
    true = np.zeros(len(found), bool)
    true[partner[partner >= 0]] = True
    matched = true.sum()
    other = match(photo["x_pixel0"], photo["y_pixel0"], found["x"], found["y"], 3)
    true[other[other >= 0]] = True
    print(f"  {name:9} recall {'; '.join(bins)}; matched {share(matched, len(found))}, "
          f"with the single-epoch catalog {share(true.sum(), len(found))}")


def hsc(data, out, method):
    peaks = Table.read(f"{data}/hsc_blends/peaks.csv")
    labels = Table.read(f"{data}/hsc_blends/labels.csv")
    hits = asked = detections = whole = 0
    for row in labels:
        own = peaks[peaks["blend_id"] == row["blend_id"]]
        x, y = np.array(own["x_pixel0"]), np.array(own["y_pixel0"])
        weight = fits.getdata(f"{data}/hsc_blends/{row['file']}", "INVVAR")
        good = (weight > 0).any(axis=0)
        inside = [good[int(round(b)), int(round(a))] for a, b in zip(x, y)]
        x, y = x[inside], y[inside]
        path = f"{out}/{method}/hsc/{row['blend_id']}_sources.fits"
        found = catalog(path) if os.path.exists(path) else {"x": np.array([]), "y": np.array([])}
        partner = match(x, y, np.array(found["x"]), np.array(found["y"]), 2.5)
        hits, asked, detections = hits + (partner >= 0).sum(), asked + len(x), detections + len(found["x"])
        whole += len(x) > 0 and (partner >= 0).all()
    print(f"  hsc_blends peaks found {share(hits, asked)}, of the detections {share(hits, detections)} are peaks; "
          f"blends with every peak found {share(whole, len(labels))}")


def goods(data, out, method):
    truth = Table.read(f"{data}/goods_hst/detection.csv")
    hits = detections = 0
    for stamp in np.unique(truth["stamp"]):
        own = truth[truth["stamp"] == stamp]
        path = f"{out}/{method}/goods/{stamp}_sources.fits"
        if not os.path.exists(path):
            continue
        found = catalog(path)
        detections += len(found)
        hits += (match(own["x_pixel0"], own["y_pixel0"], found["x"], found["y"], 6) >= 0).sum()
    print(f"  goods_hst  recall {share(hits, len(truth))} with {detections} detections")


def decam(data, out, method):
    truth = fits.getdata(f"{data}/deepdisc_decam/small_mask.fits", 1).astype(int)
    if truth.max() == 0:
        truth = fits.getdata(f"{data}/deepdisc_decam/small_mask.fits", 0).astype(int)
    paths = glob.glob(f"{out}/{method}/decam/*_segmentation.fits")
    found = fits.getdata(paths[0]).astype(int)
    numbers = np.unique(truth[truth > 0])
    hits = covered = 0
    for number in numbers:
        pixels = truth == number
        inside = np.unique(found[pixels], return_counts=True)
        best = 0.0
        for label, count in zip(*inside):
            if label:
                best = max(best, count / (pixels.sum() + (found == label).sum() - count))
        hits += best >= 0.5
        covered += (found[pixels] > 0).mean() >= 0.5
    print(f"  decam      masks with IoU ≥ 0.5 {share(hits, len(numbers))}, mostly covered {share(covered, len(numbers))}; "
          f"{found.max()} detections")


def sep(data, out, method):
    rows = np.loadtxt(f"{data}/sep/image.cat")
    found = catalog(f"{out}/{method}/sep/image_sources.fits")
    partner = match(rows[:, 1] - 1, rows[:, 2] - 1, found["x"], found["y"], 2)
    bright = rows[:, 15] > 10 * rows[:, 16]
    print(f"  sep        SExtractor's sources found {share((partner >= 0).sum(), len(rows))}, of S/N > 10 "
          f"{share((partner[bright] >= 0).sum(), bright.sum())}; {len(found)} detections")


def m51(data, out, method):
    found = catalog(f"{out}/{method}/m51/M51_sources.fits")
    image = fits.getdata(f"{data}/photutils/isophote/M51.fits")
    y, x = np.unravel_index(np.argmax(image[240:280, 230:290]), (40, 60))
    # Within 150 pixels of the nucleus everything but stars of the Milky Way is one galaxy.
    near = np.hypot(found["x"] - (x + 230), found["y"] - (y + 240)) < 150
    print(f"  m51        {len(found)} detections, {near.sum()} of them within 150 pixels of the nucleus; "
          f"largest segment {found['ISOAREA_IMAGE'].max()} pixels")


def main(data, out):
    for method in sorted(name for name in os.listdir(out) if os.path.isdir(f"{out}/{name}")):
        print(method)
        for name in ("sdss_r", "sdss_gri"):
            sdss(data, out, method, name)
        for judge in (hsc, goods, decam, sep, m51):
            judge(data, out, method)


main(sys.argv[1], sys.argv[2])
