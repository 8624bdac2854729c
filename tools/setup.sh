#!/usr/bin/env bash
# Installs what is missing for `build`, `demo` or `test` (Debian packages), then
# makes .venv with the wheel of this tree in it. Run again, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="/usr/bin:/bin:$PATH"

build=(gcc libc6-dev meson ninja-build pkg-config
    python3 python3-dev python3-venv python3-mesonpy python3-cloudpickle)
demo=(python3-numpy python3-joblib)
test=(python3-numpy python3-threadpoolctl python3-pytest
    python3-pytest-timeout libcmocka-dev
    libpython3.11-testsuite python3-sklearn
    cython3 python3-cffi g++ binutils clang clang-format libclang-rt-dev valgrind)

say() {
    printf 'setup: %s\n' "$*" >&2
}

missing() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>&1)" = \
            installed ] || printf '%s ' "$package"
    done
}

# Runs a command as root, or tells the line to run and ends with 2.
root=()
need_root() {
    [ "$(id -u)" -eq 0 ] && return
    if sudo -n true 2>/dev/null; then
        root=(sudo -n)
        return
    fi
    say 'these packages are missing; run this line, then try again:'
    printf 'sudo apt-get update && sudo apt-get install -y %s\n' "$*" >&2
    exit 2
}

apt() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install_packages() {
    local want
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system; these must be there: $*"
        return
    fi
    read -r -a want <<<"$(missing "$@")"
    [ ${#want[@]} -gt 0 ] || return 0
    need_root "${want[@]}"
    say "installing ${want[*]}"
    apt install --no-install-recommends "${want[@]}" && return
    say 'the package lists may be old: updating them'
    apt update
    apt install --no-install-recommends "${want[@]}"
}

# What the wheel is made from, as one hash.
fingerprint() {
    { find include src python -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z
        printf '%s\0' meson.build meson_options.txt pyproject.toml tools/setup.sh
    } | xargs -0 sha256sum | sha256sum
    /usr/bin/python3 --version
}

in_venv() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 .venv/bin/python "$@"
}

install_wheel() {
    local now
    now=$(fingerprint)
    [ "$(cat .venv/tutti.stamp 2>/dev/null)" != "$now" ] || return 0
    if ! grep -qs '^home = /usr/bin$' .venv/pyvenv.cfg ||
        ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say 'making .venv'
        /usr/bin/python3 -m venv --clear --system-site-packages .venv
    fi
    rm -f .venv/tutti.stamp
    rm -rf build-wheel/dist
    # Else meson-python would reconfigure what was never configured.
    [ -f build-wheel/build.ninja ] || rm -f .mesonpy-native-file.ini
    say 'building the wheel and installing it in .venv'
    in_venv -m pip -q wheel . --no-build-isolation --no-deps --no-index \
        --config-settings=builddir=build-wheel -w build-wheel/dist
    in_venv -m pip -q install --no-index --no-deps --force-reinstall \
        build-wheel/dist/*.whl
    printf '%s\n' "$now" >.venv/tutti.stamp
}

case ${1-} in
    build) install_packages "${build[@]}" ;;
    demo) install_packages "${build[@]}" "${demo[@]}" ;;
    test) install_packages "${build[@]}" "${test[@]}" ;;
    *)
        echo "usage: tools/setup.sh build|demo|test" >&2
        exit 2
        ;;
esac
[ ! -f pyproject.toml ] || install_wheel
