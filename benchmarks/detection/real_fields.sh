#!/bin/sh
# Detects sources in the real development fields, classically and, if one is given, with a network, and judges both.
#   real_fields.sh LENTICULAR DATA OUT [MODEL]
# LENTICULAR: the program; DATA: the folder with sdss_field_94_1_12, hsc_blends …; OUT: a folder for results;
# MODEL: a detection network. Needs python3 with numpy and astropy.
set -eu
program=$1 data=$2 out=$3
model=${4:-}
here=$(dirname "$0")
mkdir -p "$out"

detect() { # METHOD NAME ARGUMENTS…
    method=$1 name=$2
    shift 2
    "$program" detect --quiet --no-overlay --method "$method" ${model:+--model "$model"} -o "$out/$method/$name" "$@" || [ $? -eq 3 ]
}

for method in sep ${model:+network}; do
    detect $method sdss_r "$data/sdss_field_94_1_12/corner-r.fits.gz"
    detect $method sdss_gri --join "$data"/sdss_field_94_1_12/corner-*.fits.gz
    detect $method hsc "$data/hsc_blends/fits"
    detect $method goods "$data/goods_hst/detection424"
    detect $method decam --join "$data"/deepdisc_decam/img_*.fits
    detect $method sep "$data/sep/image.fits"
    "$program" detect --quiet --method "$method" ${model:+--model "$model"} -o "$out/$method/m51" "$data/photutils/isophote/M51.fits"
done
"${PYTHON:-python3}" "$here/judge_real_fields.py" "$data" "$out"
