# shellcheck shell=bash
# What every story begins with: a folder of its own, the stand's words, checks, and an end that leaves nothing behind. `make check` runs a
# story in the build tree.
set -uo pipefail
PATH=$PATH:/usr/sbin
export SEB_BIN=${SEB_BIN:-$PWD}
. "$(dirname "${BASH_SOURCE[0]}")/stand.sh"
dir=$(mktemp -d /tmp/seb-story.XXXXXX) && chmod 755 "$dir"
story_failed=0

story_tidy() {
    stand_end
    if type -t story_undo >/dev/null; then story_undo; fi
    rm -rf "$dir"
}
trap story_tidy EXIT
trap 'exit 130' INT TERM

ok() { printf 'ok - %s\n' "$1"; }
not_ok() {
    printf 'not ok - %s\n' "$1"
    shift
    printf '# %s\n' "$@"
    tail -n 8 "$dir/sebd.log" 2>/dev/null | sed 's/^/# /'
    story_failed=1
}
# is NAME WANT GOT (WANT is a pattern); that NAME COMMAND…
is() {
    # shellcheck disable=SC2053
    if [[ $3 == $2 ]]; then ok "$1"; else not_ok "$1" "want: $2" "got:  $3"; fi
}
that() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}
must() { "$@" || { not_ok "the stand: $*"; exit 1; }; }
story_end() { exit "$story_failed"; }

# Everything into an export, and the audit of it; its output in $dir/audit.out.
story_audit() {
    sebctl_at pubkeys --trust >"$dir/trust.json" && rm -rf "$dir/export" && sebctl_at export "$dir/export" >/dev/null &&
        "$SEB_BIN/seb-audit" --trust "$dir/trust.json" "$dir/export" >"$dir/audit.out" 2>&1 && return 0
    sed 's/^/# /' "$dir/audit.out" 2>/dev/null | head -n 20
    return 1
}
entries() { # entries JQ-FILTER: over the log's entries, one a line
    python3 "$(dirname "${BASH_SOURCE[0]}")/entries" "$dir/export" | jq -r "$1"
}
