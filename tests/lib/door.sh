# shellcheck shell=bash
# A verifier's stand without a broker: a TPM, the policy authority's and the verifier's keys (SoftHSM2), TLS, and the double of a broker's third door
# (tests/fake/lying_door), which lies when it is told to. To be sourced; needs hw.sh beside it.
#
#   door_prepare DIR        all of it but the processes; sets DOOR
#   door_start [OTHER]      starts the double (with another TPM beside), waits until it is ready, and has its plan approved
#   door_stop
#   door_lie [WORD]         what it lies from now on; nothing: it doesn't
#   verifier COMMAND…       seb-verifier with its configuration
#   verifier_config FILTER  changes that by jq
#   serve_start, serve_stop [SIGNAL]
#   results                 what the double was sent: seconds, what became of the lease, the token
#   claims TOKEN            the payload of a compact JWT
#
# SEB_BIN is the folder of the programs (a build tree).

door_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$door_lib/hw.sh"
: "${SEB_BIN:?the folder of the programs}"
DOOR_DOMAIN=prod.example.org DOOR_INSTANCE=seb-1

token_key() { # token_key TOKEN LABEL: the options that name it
    printf -- '--module\n%s\n--token\n%s\n--pin-file\n%s\n--key\n%s\n' "$SOFTHSM_MODULE" "$1" "$DOOR/$1/pin" "$2"
}
with_key() { # with_key TOKEN LABEL SAB-COMMAND…
    local key token=$1
    mapfile -t key < <(token_key "$1" "$2")
    shift 2
    SOFTHSM2_CONF=$DOOR/$token/softhsm2.conf "$SEB_BIN/sab" "$@" "${key[@]}"
}

# A port below those that the kernel gives to outgoing connections, which nobody listens on now.
door_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
}

door_certificate() { # door_certificate NAME PURPOSE
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" -extfile <(
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\nkeyUsage=digitalSignature\n' "$2"
        ) 2>/dev/null
}
door_tls() {
    (
        umask 077 && mkdir -p "$DOOR/tls" && cd "$DOOR/tls" || return 1
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -subj /CN=door-ca -days 2 -out ca.crt 2>/dev/null &&
            door_certificate broker serverAuth && door_certificate verifier clientAuth
    )
}

door_statements() {
    jq -n --arg domain "$DOOR_DOMAIN" --argjson authority "$(<"$DOOR/policy.jwk")" --argjson jwk "$(with_key verifier result key show --jwk)" \
        --argjson lease "$(<"$DOOR/lease.jwk")" \
        '{domain: $domain, policy_epoch: 1, authorities: [{name: "sab-1", jwk: $authority, admit: [{target: "documents", operations: ["PUT"],
          resources: [{prefix: "/"}], risk: "L1"}]}], signatures: {L0: 1, L1: 1, L2: 1, L3: 1, L4: 1, L5: 1}, validity_s: 3600, credential_s: 5,
          request_age_s: 300, body_bytes: 32768, version_from: "L1", freezes: [], hsm: null,
          verifiers: [{name: "verifier-1", jwk: $jwk, lease: $lease}], approval: {countersigners: [], needed: 0}}' >"$DOOR/policy.json" &&
        with_key authority policy policy sign "$DOOR/policy.json" >"$DOOR/policy.jws"
}

door_reference() {
    "$SEB_BIN/seb-verifier" reference --libexec "$SEB_BIN" --sebd "$SEB_BIN/sebd" --config "$DOOR/sebd.json" >"$DOOR/reference.json" &&
        with_key authority policy reference sign "$DOOR/reference.json" >"$DOOR/reference.jws"
}

verifier_settings() {
    jq -n --arg dir "$DOOR" --arg domain "$DOOR_DOMAIN" --arg name "$DOOR_INSTANCE" --arg pkcs11 "$SOFTHSM_MODULE" --arg port "$DOOR_PORT" \
        --argjson policy "$(<"$DOOR/policy.jwk")" \
        'def key($called): {module: $pkcs11, token: "verifier", pin_file: ($dir + "/verifier/pin"), key: $called};
         {state: ($dir + "/state.db"), keys: {result: key("result"), lease: key("lease")}, ek_roots: [$dir + "/roots.pem"],
          tls: {certificate: ($dir + "/tls/verifier.crt"), key: ($dir + "/tls/verifier.key"), ca: ($dir + "/tls/ca.crt")},
          interval_s: 1, timeout_ms: 3000, instances: [{name: $name, domain: $domain, address: ("localhost:" + $port), policy_key: $policy,
          reference: ($dir + "/reference.jws")}]}' >"$DOOR/verifier.json"
}
verifier_config() { jq "$@" "$DOOR/verifier.json" >"$DOOR/verifier.new" && mv "$DOOR/verifier.new" "$DOOR/verifier.json"; }
verifier() { SOFTHSM2_CONF=$DOOR/verifier/softhsm2.conf "$SEB_BIN/seb-verifier" "$@" --config "$DOOR/verifier.json"; }

door_prepare() {
    DOOR=$1
    DOOR_PORT=$(door_port)
    mkdir -p "$DOOR" && chmod 700 "$DOOR" || return 1
    start_swtpm "$DOOR/tpm" && start_softhsm "$DOOR/authority" authority && start_softhsm "$DOOR/verifier" verifier || return 1
    with_key authority policy key new >/dev/null && with_key verifier result key new >/dev/null &&
        with_key verifier lease key new >/dev/null && with_key authority policy key show --jwk >"$DOOR/policy.jwk" &&
        with_key verifier lease key show --jwk >"$DOOR/lease.jwk" || return 1
    cat "$DOOR"/tpm/ca/*-rootca-cert.pem "$DOOR/tpm/ca/issuercert.pem" >"$DOOR/roots.pem" || return 1
    cp "$door_lib/../../docs/examples/sebd.json" "$DOOR/sebd.json" && door_tls && door_statements && door_reference && verifier_settings
}

door_is_ready() { grep -q ready "$DOOR/door.out"; }
door_start() {
    "$SEB_BIN/tests/fake/lying_door" "tls+tcp://127.0.0.1:$DOOR_PORT" "$DOOR/tls" "$DOOR/tpm/tpm" "$DOOR" "$DOOR_DOMAIN" "$DOOR_INSTANCE" "$SEB_BIN" \
        ${1+"$1"} >"$DOOR/door.out" 2>>"$DOOR/door.log" &
    DOOR_PID=$!
    wait_for 20 door_is_ready || { cat "$DOOR/door.log" >&2 && return 1; }
    jq -c --slurpfile plan "$DOOR/plan.json" --slurpfile attestation "$DOOR/ak.jwk" -s '{attestation: $attestation[0], events: ., plan: $plan[0]}' \
        "$DOOR/cel" >"$DOOR/plan.file"
    [[ -e $DOOR/approval.json ]] || with_key authority policy approve "$DOOR/plan.file" >"$DOOR/approval.new" 2>"$DOOR/approve.err" || {
        cat "$DOOR/approve.err" >&2
        return 1
    }
    [[ -e $DOOR/approval.json ]] || mv "$DOOR/approval.new" "$DOOR/approval.json"
}
door_stop() {
    [[ -n ${DOOR_PID:-} ]] && end_pid "$DOOR_PID"
    DOOR_PID=
}
door_lie() {
    if [[ -n ${1:-} ]]; then echo "$1" >"$DOOR/lie"; else rm -f "$DOOR/lie"; fi
}

serve_start() {
    SOFTHSM2_CONF=$DOOR/verifier/softhsm2.conf "$SEB_BIN/seb-verifier" serve --config "$DOOR/verifier.json" 2>>"$DOOR/verifier.log" &
    SERVE_PID=$!
    disown "$SERVE_PID"
}
serve_stop() {
    [[ -n ${SERVE_PID:-} ]] && end_pid "$SERVE_PID" "${1:-TERM}"
    SERVE_PID=
}
results() { cat "$DOOR/results" 2>/dev/null; }
claims() { # base64url without padding
    local payload=${1#*.}
    payload=$(tr '_-' '/+' <<<"${payload%.*}")
    while ((${#payload} % 4)); do payload+='='; done
    base64 -d <<<"$payload"
}
door_end() {
    serve_stop
    door_stop
    stop_swtpm "$DOOR/tpm"
}

# What a test says.
door_failed=0
ok() { printf 'ok - %s\n' "$1"; }
not_ok() {
    printf 'not ok - %s\n' "$1"
    shift
    printf '# %s\n' "$@"
    door_failed=1
}
is() { # is NAME WANTED-PATTERN GOT
    # shellcheck disable=SC2053
    if [[ $3 == $2 ]]; then ok "$1"; else not_ok "$1" "want: $2" "got:  $3"; fi
}
that() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}
refused() { # refused NAME CODE COMMAND…
    local name=$1 code=$2 said
    shift 2
    said=$("$@" 2>&1) && { not_ok "$name" "it was done"; return; }
    is "$name" "*$code:*" "$said"
}
