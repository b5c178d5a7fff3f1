# shellcheck shell=bash
# For the scripts that test hsm/: hardware of the test's own in $WORK, tests/int/hsm_driver as a coprocess, one line a check. The
# working folder is the build folder, as automake has it.

# shellcheck source-path=SCRIPTDIR source=hw.sh
. "$(dirname "${BASH_SOURCE[0]}")/hw.sh"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/seb-hsm.XXXXXX")
DRIVER=${DRIVER:-$PWD/tests/int/hsm_driver}
FAILED=0
shopt -s extglob
export TSS2_LOG=all+NONE

hsm_clean() {
    local d
    exec {TO_DRIVER}>&- || true
    for d in "$WORK"/*/; do stop_swtpm "${d%/}"; done
    rm -rf "$WORK"
} 2>/dev/null
trap hsm_clean EXIT

start_driver() { # with the driver's arguments
    coproc DRV { exec "$DRIVER" "$@"; }
    # shellcheck disable=SC2153
    DRIVER_PID=$DRV_PID TO_DRIVER=${DRV[1]} FROM_DRIVER=${DRV[0]}
}

# says COMMAND...: the driver's answer.
says() {
    local answer
    printf '%s\n' "$*" >&"$TO_DRIVER" && IFS= read -r -t 120 -u "$FROM_DRIVER" answer && printf '%s\n' "$answer"
}

# foreign_leak FRAME: what a module leaks is not for LeakSanitizer to hold against us. Before start_driver.
foreign_leak() {
    echo "leak:$1" >>"$WORK/leaks"
    export LSAN_OPTIONS=suppressions=$WORK/leaks:print_suppressions=0
}

report() {
    local held=$1 name=$2
    if ((held == 0)); then echo "ok - $name"; else
        echo "not ok - $name"
        FAILED=$((FAILED + 1))
    fi
}

# check NAME COMMAND...: it succeeds.
check() {
    local name=$1 rc=0
    shift
    "$@" >"$WORK/check.log" 2>&1 || rc=$?
    report "$rc" "$name"
    ((rc == 0)) || sed 's/^/# /' "$WORK/check.log"
}

# expect NAME PATTERN DRIVER-COMMAND...: the whole answer matches the bash pattern.
expect() {
    local name=$1 pattern=$2 answer
    shift 2
    answer=$(says "$@") || answer='(no answer)'
    # shellcheck disable=SC2254
    case $answer in
    $pattern) report 0 "$name" ;;
    *) report 1 "$name" && echo "# $*: got '$answer', want '$pattern'" ;;
    esac
}

# tools COMMAND...: tpm2-tools on the TPM of folder $TPM. Only while the driver holds no connection: swtpm serves one at a time.
tools() {
    TPM2TOOLS_TCTI="swtpm:path=$TPM/tpm" timeout 60 "$@"
}

# The driver ends by itself and well: built with sanitizers, it would say here what it leaked.
end_driver() {
    local rc=0
    exec {TO_DRIVER}>&-
    wait "$DRIVER_PID" || rc=$?
    report "$rc" 'the driver ends well'
}

checks_end() {
    end_driver
    ((FAILED == 0))
}
