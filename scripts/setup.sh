#!/bin/sh
# Installs the Debian packages that Lenticular is built on, when any of them is missing.
# It asks dpkg first, so that on a machine that has them it needs neither root nor a network.
set -eu

packages="
    make g++ pkg-config libc6-dev
    libcfitsio-dev wcslib-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev libbz2-dev libsep-dev
    libdnnl-dev libcairo2-dev fonts-dejavu-core libsodium-dev libexpat1-dev libsqlite3-dev libchafa-dev
    libhnswlib-dev
"

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    echo "Installing:$missing"
    run=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            echo "These Debian packages are missing and installing them needs root:$missing" >&2
            exit 1
        }
        run=sudo
    fi
    export DEBIAN_FRONTEND=noninteractive
    $run apt-get update -qq
    # shellcheck disable=SC2086 # a list of words is meant
    $run apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

command -v swift >/dev/null 2>&1 || {
    echo "Swift 6.2 or later is needed on the PATH: see https://www.swift.org/install/linux/" >&2
    exit 1
}
