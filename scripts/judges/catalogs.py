#!/usr/bin/env python3
"""Reads the catalogs of a folder with astropy and checks that every format says the same.

    python3 scripts/judges/catalogs.py FOLDER

FOLDER holds t.fits, t.ecsv, t.vot and t.csv, the same table as CatalogSamples.everything() has it. Prints what
differs; the exit status is 1 when anything does.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

UNITS = {"ra": "deg", "dec": "deg", "flux": "nJy", "int": "adu"}
DTYPES = {
    "truth": "bool", "byte": "uint8", "short": "int16", "int": "int32", "long": "int64", "full": "int64",
    "ra": "float64", "dec": "float64", "flux": "float32", "vector": "float32", "pair": "float64",
}  # fmt: skip
failures = []


def check(condition, text):
    if not condition:
        failures.append(text)


def plain(table, name):
    """Values with None for what is missing, text decoded."""
    column = table[name]
    mask = np.ma.getmaskarray(np.ma.asarray(column))
    values = np.ma.getdata(np.ma.asarray(column))
    cells = []
    for row in range(len(column)):
        if column.ndim > 1:
            cells.append(tuple(None if np.isnan(v) else float(v) for v in values[row]))
            continue
        value = values[row]
        if isinstance(value, bytes):
            value = value.decode()
        if isinstance(value, (float, np.floating)):
            value = None if np.isnan(value) else value.item()
        elif isinstance(value, np.generic):
            value = value.item()
        cells.append(None if mask[row] or value == "" else value)
    return cells


def main():
    folder = Path(sys.argv[1])
    tables = {}
    for name, form in [("fits", "fits"), ("ecsv", "ascii.ecsv"), ("vot", "votable"), ("csv", "ascii.csv")]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tables[name] = Table.read(folder / f"t.{name}", format=form)
        for warning in caught:
            check("logical_as_bytes" in str(warning.message), f"{name}: warning {warning.message}")
    # astropy's Table turns a missing truth value of FITS into False; the bytes still have it.
    with fits.open(folder / "t.fits", logical_as_bytes=True) as file:
        truth = [{b"T": True, b"F": False}.get(bytes(cell)) for cell in file[1].data["truth"]]
    reference = tables["ecsv"]
    for form, table in tables.items():
        check(table.colnames == reference.colnames, f"{form}: columns {table.colnames}")
        check(len(table) == len(reference), f"{form}: {len(table)} rows")
        if form == "csv":
            continue
        for column, unit in UNITS.items():
            check(str(table[column].unit) == unit, f"{form}: unit of {column} is {table[column].unit}")
        for column, dtype in DTYPES.items():
            if form == "fits" and column == "truth":
                continue
            check(table[column].dtype.newbyteorder("=") == np.dtype(dtype), f"{form}: {column} is {table[column].dtype}")
        for column in DTYPES:
            cells = plain(table, column)
            if form == "fits" and column == "truth":
                cells = truth
            expected = plain(reference, column)
            check(cells == expected, f"{form}: {column} differs: {[p for p in zip(cells, expected) if p[0] != p[1]][:3]}")
    for column in ["id_str", "text"]:
        expected = plain(reference, column)
        # FITS has no place for what is not printable ASCII: such text is escaped there. XML has none for control
        # characters.
        for form, keep in [("fits", lambda t: t is None or (t.isascii() and t.isprintable() and "\\" not in t and t[-1] != " ")),
                           ("vot", lambda t: t is None or "\x01" not in t)]:
            for cell, want in zip(plain(tables[form], column), expected):
                # astropy's ECSV reader drops blanks at either end.
                same = (cell or "").replace("\\u0020", " ").strip(" ") == (want or "")
                check(same or not keep(want), f"{form}: {column} has {cell!r} for {want!r}")
    check(tables["ecsv"]["ra"].description == "Right ascension, ICRS", "ecsv: description of ra")
    check(tables["vot"]["ra"].description == "Right ascension, ICRS", "vot: description of ra")
    check(tables["vot"]["ra"].meta["ucd"] == "pos.eq.ra;meta.main", "vot: ucd of ra")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(folder / "t.fits", checksum=True) as file:
            header = file["EVERYTHING"].header
            check(header["TCOMM10"] == "Right ascension, ICRS", "fits: TCOMM10")
            check(header["TUCD10"] == "pos.eq.ra;meta.main", "fits: TUCD10")
            check(header["A_LONG_KEYWORD"] == "0123456789" * 20, "fits: long HIERARCH text")
            check("CHECKSUM" in header and "DATASUM" in header, "fits: checksums")
    print("\n".join(failures) if failures else "astropy reads the same from every format")
    sys.exit(1 if failures else 0)


main()
