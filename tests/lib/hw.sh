# shellcheck shell=bash
# Real parts for tests, the demo and the bench: swtpm with EK certificates, and SoftHSM2 tokens. To be sourced. Each lives in a
# folder of its own, so that any number run side by side, and is stopped by its pid. Needs bash, swtpm, swtpm-tools, softhsm2.
#
#   start_swtpm DIR           a TPM 2.0 at the socket DIR/tpm (tpm2-tools: swtpm:path=DIR/tpm); its first start makes it, with EK
#                             certificates by a CA in DIR/ca; a later start brings the same TPM back
#   stop_swtpm DIR            ends it and waits; a state that stays can be started again
#   kill_swtpm DIR            the same with -9
#   start_softhsm DIR LABEL   a token in DIR/tokens with a random PIN in DIR/pin (mode 0600), the officer's in
#                             DIR/so-pin; sets SOFTHSM2_CONF
#   end_pid PID [SIGNAL]      ends a process and waits until it is gone
#
# DIR is an absolute path of at most 90 bytes (sockets). SOFTHSM_MODULE and TPM2_PKCS11_MODULE are the modules' paths.

SOFTHSM_MODULE=/usr/lib/softhsm/libsofthsm2.so
# shellcheck disable=SC2034
TPM2_PKCS11_MODULE=/usr/lib/$(uname -m)-linux-gnu/pkcs11/libtpm2_pkcs11.so

hw_fail() {
    echo "hw.sh: $*" >&2
    return 1
}

# wait_for SECONDS COMMAND...: until it succeeds. Polls, because none of these programs says when it is ready.
wait_for() {
    local tries=$(($1 * 50))
    shift
    until "$@" 2>/dev/null; do
        ((tries-- > 0)) || return 1
        sleep 0.02
    done
}

# Also true of a zombie, which somebody else has to wait for.
hw_is_gone() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || true
    [[ -z $state || $state == Z ]]
}

end_pid() {
    [[ $1 =~ ^[1-9][0-9]*$ ]] || hw_fail "not a pid: $1" || return 1
    kill "-${2:-TERM}" "$1" 2>/dev/null || true
    wait_for 5 hw_is_gone "$1" && return 0
    kill -KILL "$1" 2>/dev/null || true
    wait_for 5 hw_is_gone "$1" || hw_fail "process $1 doesn't end"
}

# A CA of this TPM's own: swtpm_localca's usual one in /var/lib would be shared by all, and locked.
swtpm_make() {
    local dir=$1
    mkdir -p "$dir/state" "$dir/ca"
    cat >"$dir/ca/localca.conf" <<EOF
statedir = $dir/ca
signingkey = $dir/ca/signkey.pem
issuercert = $dir/ca/issuercert.pem
certserial = $dir/ca/certserial
EOF
    printf -- '--platform-manufacturer seb\n--platform-version 1\n--platform-model test\n' >"$dir/ca/localca.options"
    cat >"$dir/ca/setup.conf" <<EOF
create_certs_tool = $(command -v swtpm_localca || echo /usr/bin/swtpm_localca)
create_certs_tool_config = $dir/ca/localca.conf
create_certs_tool_options = $dir/ca/localca.options
active_pcr_banks = sha256
EOF
    swtpm_setup --tpm2 --ecc --create-ek-cert --create-platform-cert --tpmstate "$dir/state" --config "$dir/ca/setup.conf" \
        --runas "$(id -un)" --logfile "$dir/ca/setup.log" >/dev/null 2>&1 ||
        hw_fail "swtpm_setup failed: $(tail -n 3 "$dir/ca/setup.log" 2>/dev/null)" || return 1
    : >"$dir/state/.made"
}

swtpm_is_up() {
    [[ -S $1/tpm && -s $1/swtpm.pid ]]
}

start_swtpm() {
    local dir=$1
    [[ $dir == /* && ${#dir} -le 90 ]] || hw_fail "want an absolute path of at most 90 bytes: $dir" || return 1
    [[ -e $dir/state/.made ]] || { rm -rf "$dir/state" && swtpm_make "$dir"; } || return 1
    rm -f "$dir/tpm" "$dir/tpm.ctrl" "$dir/swtpm.pid"
    (umask 077 && swtpm socket --tpm2 --tpmstate dir="$dir/state" --server type=unixio,path="$dir/tpm" \
        --ctrl type=unixio,path="$dir/tpm.ctrl" --flags not-need-init,startup-clear --daemon --pid file="$dir/swtpm.pid" \
        </dev/null >"$dir/swtpm.log" 2>&1) || hw_fail "swtpm failed: $(cat "$dir/swtpm.log")" || return 1
    wait_for 5 swtpm_is_up "$dir" || hw_fail "swtpm doesn't start in $dir"
}

stop_swtpm() {
    [[ -s $1/swtpm.pid ]] || return 0
    end_pid "$(<"$1/swtpm.pid")" "${2:-TERM}"
    rm -f "$1/swtpm.pid"
}

kill_swtpm() {
    stop_swtpm "$1" KILL
}

start_softhsm() {
    local dir=$1 label=$2 file
    mkdir -p "$dir/tokens"
    printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n' "$dir" \
        >"$dir/softhsm2.conf"
    export SOFTHSM2_CONF=$dir/softhsm2.conf
    for file in "$dir/pin" "$dir/so-pin"; do
        [[ -s $file ]] || (umask 077 && od -An -N8 -tx1 /dev/urandom | tr -d ' \n' >"$file")
    done
    softhsm2-util --init-token --free --label "$label" --so-pin "$(<"$dir/so-pin")" --pin "$(<"$dir/pin")" >"$dir/softhsm.log" 2>&1 ||
        hw_fail "softhsm2-util failed: $(cat "$dir/softhsm.log")" || return 1
    [[ -e $SOFTHSM_MODULE ]] || hw_fail "no $SOFTHSM_MODULE"
}
