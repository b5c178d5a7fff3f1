# shellcheck shell=bash
# The second party of a stand: a verifier with a token of its own, the policy authority's approval and reference values, and what makes a broker
# attested. Source it behind stand.sh's words (hw.sh, fence.sh, with_key, sebctl_at).
#
#   verifier_prepare          keys, TLS certificates, the door's part of the broker's configuration in $STAND/door.json
#   verifier_policy           the policy's `verifiers`
#   verifier_reference        reference values of the installed programs and the configuration, signed; and the verifier's configuration
#   verifier_start            starts seb-verifier
#   verifier_stop [SIGNAL]
#   verifier_enrol            enrols the broker that runs, and confirms it
#   approve                   the plan of the broker that runs, signed by the policy authority, and loaded
#   attested                  whether the broker may mutate
#
# STAND_INTERVAL_S, STAND_RESULT_S: how often it asks, how long a result and a lease hold.

: "${STAND_INTERVAL_S:=1}" "${STAND_RESULT_S:=30}"

verifier_key() { # verifier_key LABEL: the options that name it
    printf -- '--module\n%s\n--token\nverifier\n--pin-file\n%s\n--key\n%s\n' "$SOFTHSM_MODULE" "$STAND/verifier/pin" "$1"
}
verifier_jwk() {
    local key
    mapfile -t key < <(verifier_key "$1")
    SOFTHSM2_CONF=$STAND/verifier/softhsm2.conf "$SEB_BIN/sab" key show --jwk "${key[@]}"
}
verifier_at() { SOFTHSM2_CONF=$STAND/verifier/softhsm2.conf "$SEB_BIN/seb-verifier" "$@" --config "$STAND/verifier.json"; }

verifier_certificate() { # NAME SUBJECT USE, in $STAND/door
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "$2" \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext "extendedKeyUsage=$3" -out "$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out "$1.crt" 2>/dev/null && rm "$1.csr"
}

verifier_prepare() {
    local key port label
    mkdir -p "$STAND/verifier" "$STAND/door"
    start_softhsm "$STAND/verifier" verifier || return 1
    for label in result lease; do
        mapfile -t key < <(verifier_key $label)
        SOFTHSM2_CONF=$STAND/verifier/softhsm2.conf "$SEB_BIN/sab" key new "${key[@]}" >/dev/null || return 1
    done
    (
        umask 077 && cd "$STAND/door" &&
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -subj /CN=door-ca -days 2 -out ca.crt 2>/dev/null &&
            verifier_certificate broker /CN=localhost serverAuth && verifier_certificate verifier /CN=verifier clientAuth
    ) || return 1
    port=$(fence_port) || return 1
    echo "$port" >"$STAND/door/port"
    jq -n --arg dir "$STAND/door" --arg port "$port" \
        '{listen: ("127.0.0.1:" + $port), certificate: ($dir + "/broker.crt"), key: ($dir + "/broker.key"), ca: ($dir + "/ca.crt")}' >"$STAND/door.json"
}

verifier_policy() {
    jq -n --argjson jwk "$(verifier_jwk result)" --argjson lease "$(verifier_jwk lease)" '[{name: "verifier-1", jwk: $jwk, lease: $lease}]'
}

verifier_reference() {
    "$SEB_BIN/seb-verifier" reference --libexec "$SEB_BIN" --sebd "$SEB_BIN/sebd" --config "$STAND/sebd.json" >"$STAND/reference.json" &&
        with_key policy reference sign "$STAND/reference.json" >"$STAND/reference.jws" || return 1
    jq -n --arg dir "$STAND" --arg domain "$STAND_DOMAIN" --arg pkcs11 "$SOFTHSM_MODULE" --argjson policy "$(with_key policy key show --jwk)" \
        --arg port "$(<"$STAND/door/port")" --argjson interval "$STAND_INTERVAL_S" --argjson result "$STAND_RESULT_S" \
        'def key($called): {module: $pkcs11, token: "verifier", pin_file: ($dir + "/verifier/pin"), key: $called};
         {state: ($dir + "/verifier/state.db"), keys: {result: key("result"), lease: key("lease")}, ek_roots: [$dir + "/tpm/ca/roots.pem"],
          tls: {certificate: ($dir + "/door/verifier.crt"), key: ($dir + "/door/verifier.key"), ca: ($dir + "/door/ca.crt")},
          interval_s: $interval, result_s: $result, lease_s: $result,
          instances: [{name: "seb-1", domain: $domain, address: ("127.0.0.1:" + $port), policy_key: $policy, reference: ($dir + "/reference.jws")}]}' \
        >"$STAND/verifier.json"
    # swtpm's CA and the one that signed it: what a manufacturer publishes.
    cat "$STAND"/tpm/ca/issuercert.pem "$STAND"/tpm/ca/*-rootca-cert.pem >"$STAND/tpm/ca/roots.pem" 2>/dev/null || true
}

# Returns when it serves: until then it is opening its keys, and a second process that logs in to the same SoftHSM token meanwhile can make that fail.
verifier_serves() { [ "$(grep -c 'serving:' "$STAND/verifier.log")" -gt "$1" ]; }
verifier_start() { # not by verifier_at: the pid would be a shell's
    local before
    before=$(grep -cs 'serving:' "$STAND/verifier.log") || before=${before:-0}
    SOFTHSM2_CONF=$STAND/verifier/softhsm2.conf "$SEB_BIN/seb-verifier" serve --config "$STAND/verifier.json" >>"$STAND/verifier.log" 2>&1 &
    echo $! >"$STAND/verifier.pid"
    disown $!
    wait_for 20 verifier_serves "$before" || stand_fail "the verifier doesn't start: $(tail -n 3 "$STAND/verifier.log")"
}
verifier_stop() {
    [ -s "$STAND/verifier.pid" ] || return 0
    end_pid "$(<"$STAND/verifier.pid")" "${1:-TERM}"
    rm -f "$STAND/verifier.pid"
}
verifier_enrol() { verifier_at enrol seb-1 >"$STAND/enrol.out" && verifier_at confirm seb-1 >>"$STAND/enrol.out"; }

approve() {
    sebctl_at approve --plan >"$STAND/plan.json" && with_key policy approve "$STAND/plan.json" >"$STAND/approval.json" 2>"$STAND/approve.err" &&
        sebctl_at approve --load "$STAND/approval.json" >/dev/null
}

attested() { [ "$(sebctl_at status --json | jq .mutations)" = true ]; }
