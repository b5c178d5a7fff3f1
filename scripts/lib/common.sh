# What the commands in scripts share. Sourced by bash; sets $root (the checkout).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export LC_ALL=C

build_packages=(autoconf automake libtool autoconf-archive pkg-config gcc libc6-dev make xz-utils
    libssl-dev libjansson-dev libtss2-dev libp11-kit-dev libcurl4-openssl-dev libnng-dev libsqlite3-dev libyaml-dev uthash-dev)
run_packages=(swtpm swtpm-tools softhsm2 opensc tpm2-tools apache2 haproxy socat openssl curl jq xxd)
test_packages=(python3 python3-cryptography python3-h2 libtpm2-pkcs11-1 libtpm2-pkcs11-tools shellcheck mandoc cppcheck clang-format
    util-linux procps sqlite3 file git ca-certificates)

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Installs what of these Debian packages is missing; needs root only then.
need_packages() {
    local missing=() p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing, and installing them takes root: ${missing[*]}"
    say "installing ${#missing[@]} Debian packages"
    local log
    log=$(mktemp)
    # Services of these packages are not started: tests start their own, on ports of their own.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=1; fi
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
        [ -z "$made" ] || rm -f $policy
        tail -n 20 "$log" >&2
        die "the packages can't be installed; all of it: $log"
    fi
    [ -z "$made" ] || rm -f $policy
    rm -f "$log"
}

# build DIR [configure options…]: configures and builds the checkout in $root/build/DIR; $build is its path.
build() {
    build=$root/build/$1
    shift
    local log=$build.log
    mkdir -p "$build"
    [ -x "$root/configure" ] && [ "$root/configure" -nt "$root/configure.ac" ] && [ "$root/Makefile.in" -nt "$root/Makefile.am" ] ||
        (cd "$root" && autoreconf -fi) >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "autoreconf failed: $log"; }
    (cd "$build" && { [ -f Makefile ] && [ Makefile -nt "$root/configure" ] || "$root/configure" -q "$@"; } && make -s -j"$(nproc)") >"$log" 2>&1 ||
        { tail -n 30 "$log" >&2; die "the build failed: $log"; }
}
