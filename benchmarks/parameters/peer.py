"""Measures the stamps of `lenticular bench parameters --stamps FOLDER --json OURS.json` with statmorph and petrofit.

    lenticular bench parameters --scenes 200 --stamps STAMPS --json OURS.json
    VENV/bin/pip install statmorph photutils astropy petrofit
    VENV/bin/python benchmarks/parameters/peer.py STAMPS OURS.json --json peers.json --plot peers.png

The table has bias (median) and scatter (half of the 16th to 84th percentile) of every method on the same stamps: the galaxies for
which all methods give a value. Magnitudes: of the fitted profile's total light; for statmorph's classical set, of two Petrosian radii.
"""
import argparse
import json
import pathlib
import time
import warnings

import numpy as np
import statmorph
from astropy.io import fits
from astropy.modeling import fitting, models
from scipy.special import gamma, gammaincinv

QUANTITIES = ["magnitude", "half_light_radius", "sersic_index", "axis_ratio", "position_angle"]


def total_flux(amplitude, radius, n, ellip):
    b = gammaincinv(2 * n, 0.5)
    return 2 * np.pi * n * amplitude * np.exp(b) * b ** (-2 * n) * gamma(2 * n) * radius**2 * (1 - ellip)


def magnitude(flux):
    return -2.5 * np.log10(flux) if flux > 0 else np.nan


def with_statmorph(image, sigma, labels, label, psf):
    m = statmorph.SourceMorphology(image, labels, label, weightmap=sigma, psf=psf)
    fit = [np.nan] * 5
    if m.flag_sersic == 0:
        flux = total_flux(m.sersic_amplitude, m.sersic_rhalf, m.sersic_n, m.sersic_ellip)
        fit = [magnitude(flux), m.sersic_rhalf, m.sersic_n, 1 - m.sersic_ellip, np.degrees(m.sersic_theta)]
    classical = [np.nan] * 5
    if m.flag <= 1:
        classical = [magnitude(m.flux_ellip), m.rhalf_ellip, np.nan, 1 - m.ellipticity_asymmetry,
                     np.degrees(m.orientation_asymmetry)]
    return m, fit, classical


def with_petrofit(image, sigma, labels, label, psf, m):
    """A PSF-convolved, oversampled Sersic fit as petrofit's tutorial makes it, from statmorph's classical start."""
    import astropy.config.configuration as configuration
    # petrofit 0.5 imports names that astropy no longer has, and does not need them.
    for name in ["update_default_config", "ConfigurationDefaultMissingError", "ConfigurationDefaultMissingWarning"]:
        if not hasattr(configuration, name):
            setattr(configuration, name, type(name, (Warning,), {}))
    from petrofit.modeling import PSFConvolvedModel2D, fit_model
    start = models.Sersic2D(
        amplitude=max(m.sersic_amplitude, 1e-9) if m.flag_sersic < 4 else 1e-3, r_eff=max(m.rhalf_ellip, 1), n=1.5,
        x_0=m.xc_asymmetry, y_0=m.yc_asymmetry, ellip=min(max(m.ellipticity_asymmetry, 0.05), 0.9), theta=m.orientation_asymmetry,
        bounds={"amplitude": (0, None), "r_eff": (0.1, 200), "n": (0.2, 10), "ellip": (0, 0.97)})
    model = PSFConvolvedModel2D(start, psf=psf / psf.sum(), oversample=4)
    model.fixed["psf_pa"] = True
    other = (labels != 0) & (labels != label)
    fitted, _ = fit_model(np.where(other, 0, image), model, weights=np.where(other, 0, 1 / sigma), maxiter=300,
                          epsilon=1.5e-8, acc=1e-5)
    q = 1 - fitted.ellip.value
    flux = total_flux(fitted.amplitude.value, fitted.r_eff.value, fitted.n.value, fitted.ellip.value)
    return [magnitude(flux), fitted.r_eff.value, fitted.n.value, q, np.degrees(fitted.theta.value)]


def errors(values, truths):
    values, truths = np.array(values, float), np.array(truths, float)[:, :5]
    with np.errstate(all="ignore"):
        out = values - truths
        out[:, 1:3] = np.log(values[:, 1:3] / truths[:, 1:3])
        out[:, 4] -= 180 * np.round(out[:, 4] / 180)
    return out


def summary(error):
    low, middle, high = np.percentile(error, [15.9, 50, 84.1])
    return {"bias": middle, "scatter": (high - low) / 2, "rms": float(np.sqrt(np.mean(error**2)))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stamps", type=pathlib.Path)
    parser.add_argument("ours", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--no-petrofit", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    ours = json.loads(options.ours.read_text())
    values = {name: [] for name in ["network", "sersic_fit", "classical", "statmorph fit", "statmorph classical", "petrofit"]}
    truths, signal, seconds = [], [], {"statmorph": [], "petrofit": []}
    number = lambda v: np.nan if v is None else v
    for row in ours["rows"][:options.count]:
        stem = f"{row['scene']:05d}"
        read = lambda kind: fits.getdata(options.stamps / f"{stem}_{kind}.fits").astype(float)
        image, sigma, labels, psf = read("image"), read("sigma"), read("segmentation").astype(int), read("psf")
        label = int(fits.getheader(options.stamps / f"{stem}_image.fits")["LABEL"])
        start = time.process_time()
        try:
            m, fit, classical = with_statmorph(image, sigma, labels, label, psf)
        except Exception as error:
            print(stem, "statmorph:", error)
            continue
        seconds["statmorph"].append(time.process_time() - start)
        petro = [np.nan] * 5
        if not options.no_petrofit:
            start = time.process_time()
            try:
                petro = with_petrofit(image, sigma, labels, label, psf, m)
            except Exception as error:
                print(stem, "petrofit:", error)
            seconds["petrofit"].append(time.process_time() - start)
        truths.append(row["truth"])
        signal.append(row["signal_to_noise"])
        for name in ["network", "sersic_fit", "classical"]:
            good = row.get({"sersic_fit": "sersic_is_good", "classical": "classical_is_good"}.get(name), True)
            values[name].append([number(v) for v in row[name]][:5] if good else [np.nan] * 5)
        values["statmorph fit"].append(fit)
        values["statmorph classical"].append(classical)
        values["petrofit"].append(petro)
    if options.no_petrofit:
        del values["petrofit"]
    signal = np.array(signal)
    table = {name: errors(v, truths) for name, v in values.items()}
    report = {"galaxies": len(truths), "seconds": {k: float(np.mean(v)) for k, v in seconds.items() if v},
              "ours_seconds": ours["seconds_a_galaxy"], "bins": []}
    for low, high in [(0, 1e9), (0, 50), (50, 200), (200, 1e9)]:
        inside = (signal >= low) & (signal < high)
        print(f"\nS/N {low} - {high:g}: {inside.sum()} galaxies\n\n| quantity | method | galaxies | bias | scatter | rms |")
        print("| --- | --- | ---: | ---: | ---: | ---: |")
        entry = {"signal_to_noise": [low, high], "statistics": {}}
        for column, quantity in enumerate(QUANTITIES):
            able = [n for n in table if np.isfinite(table[n][inside, column]).any()]
            common = inside & np.all([np.isfinite(table[n][:, column]) for n in able], axis=0)
            for name in able:
                s = summary(table[name][common, column])
                entry["statistics"].setdefault(quantity, {})[name] = {**s, "count": int(common.sum())}
                print(f"| {quantity} | {name} | {common.sum()} | {s['bias']:.4f} | {s['scatter']:.4f} | {s['rms']:.4f} |")
        report["bins"].append(entry)
    print("\nseconds a galaxy:", report["seconds"], "ours:", report["ours_seconds"])
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    if options.plot:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
        figure, axes = pyplot.subplots(1, 5, figsize=(20, 4))
        for axis, (column, quantity) in zip(axes, enumerate(QUANTITIES)):
            for name in table:
                points = [(np.median(signal[k]), summary(table[name][k, column][np.isfinite(table[name][k, column])])["scatter"])
                          for k in [(signal >= a) & (signal < b) for a, b in [(0, 30), (30, 80), (80, 200), (200, 1e9)]]
                          if np.isfinite(table[name][k, column]).sum() > 5]
                if points:
                    axis.loglog(*zip(*points), "o-", label=name)
            axis.set(title=quantity, xlabel="signal to noise", ylabel="scatter")
        axes[0].legend(fontsize=7)
        figure.tight_layout()
        figure.savefig(options.plot, dpi=100)


if __name__ == "__main__":
    main()
