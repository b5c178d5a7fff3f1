# shellcheck shell=bash
# What every test on a cluster begins with: a folder of its own, the words of kube.sh, checks, and an end that leaves nothing behind.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/kube.sh"
dir=$(mktemp -d /tmp/seb-kube.XXXXXX)
test_failed=0
test_tidy() {
    local cluster
    trap - EXIT INT TERM HUP
    for cluster in "$dir"/*/env; do
        [ ! -e "$cluster" ] || { kube_load "${cluster%/env}" && kube_stop; }
    done
    [ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap test_tidy EXIT
trap 'exit 130' INT TERM HUP

ok() { printf 'ok - %s\n' "$1"; }
not_ok() {
    printf 'not ok - %s\n' "$1"
    shift
    [ $# = 0 ] || printf '# %s\n' "$@"
    test_failed=1
}
# is NAME WANT GOT (WANT is a pattern); that NAME COMMAND…
is() {
    if [[ $3 == $2 ]]; then ok "$1"; else not_ok "$1" "want: $2" "got:  $3"; fi
}
that() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}
must() { "$@" || { not_ok "the stand: $*"; exit 1; }; }
test_end() { exit "$test_failed"; }
