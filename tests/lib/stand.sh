# shellcheck shell=bash
# A whole stand of real parts, for the demo, stories and the bench: a TPM (swtpm), the broker's HSM, the authority's and the agents' (SoftHSM2, a
# token each), a fenced document service, policy and epoch, agents, and the broker. Source it; needs hw.sh and fence.sh beside it.
#
#   stand_prepare DIR      all but the broker's processes: keys, statements, configuration, fence, service; sets STAND
#   stand_broker           starts sebd; the first time loads policy, epoch and approval, enrols it with the verifier, and has its mint key allowed
#                          at the fence; returns when it is attested
#   stand_broker_only      starts sebd, and nothing else
#   stand_broker_stop [SIGNAL]
#   stand_end              everything, by pid
#   stand_certify NAME [OPTION=VALUE…]   a certificate into $STAND/cert/NAME.json, see there
#   stand_agent NAME          an agent's key on the agents' token; its public part in $STAND/agents/NAME.jwk
#   stand_submit NAME [--agent AGENT] [seb-submit's options…]
#   stand_fence_allow      the revocation authority allows the mint key in use at the fence, because the verifier's newest result names it
#   sab_at COMMAND…        sab with the authority's HSM
#
# SEB_BIN is the folder of the programs (a build tree).

stand_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$stand_lib/hw.sh"
. "$stand_lib/fence.sh"
. "$stand_lib/verifier.sh"
: "${SEB_BIN:?the folder of the programs}"
FENCE_SEBCTL="$SEB_BIN/sebctl fence" FENCE_SAB="$SEB_BIN/sab fence"
: "${STAND_DOMAIN:=demo.example}" "${STAND_POLICY_EPOCH:=1}" "${STAND_EPOCH:=1}" "${STAND_CREDENTIAL_S:=5}" "${STAND_POLICY_FILTER:=.}" "${STAND_CONFIG_FILTER:=.}" "${STAND_LIBEXEC:=$SEB_BIN}"

stand_fail() { echo "stand: $*" >&2; return 1; }

sab_at() {
    SOFTHSM2_CONF=$STAND/authority/softhsm2.conf "$SEB_BIN/sab" "$@"
}
authority_key() { # authority_key LABEL: the options that name it
    printf -- '--module\n%s\n--token\nauthority\n--pin-file\n%s\n--key\n%s\n' "$SOFTHSM_MODULE" "$STAND/authority/pin" "$1"
}
with_key() { # with_key LABEL SAB-COMMAND…
    local key
    mapfile -t key < <(authority_key "$1")
    shift
    sab_at "$@" "${key[@]}"
}
sebctl_at() { SOFTHSM2_CONF=$STAND/hsm/softhsm2.conf "$SEB_BIN/sebctl" "$@" --config "$STAND/sebd.json"; }

stand_token_words() { # the broker's HSM as the policy names it
    SOFTHSM2_CONF=$STAND/hsm/softhsm2.conf pkcs11-tool --module "$SOFTHSM_MODULE" -L 2>/dev/null |
        jq -Rnc '[inputs] | join("\n") | split("Slot ")[] | select(test("token label *: seb\n")) |
            {manufacturer: capture("token manufacturer *: (?<v>[^\n]*)").v, model: capture("token model *: (?<v>[^\n]*)").v,
             serial: capture("serial num *: (?<v>[^\n]*)").v}'
}

stand_policy_json() { # the policy's payload, before jq filters of the caller
    fence_load "$STAND"
    jq -n --arg domain "$STAND_DOMAIN" --argjson epoch "$STAND_POLICY_EPOCH" --argjson credential "$STAND_CREDENTIAL_S" \
        --argjson hsm "$(stand_token_words)" --arg target "${F[target]}" --arg prefix "${F[prefix]}" \
        --argjson verifiers "$(verifier_policy)" \
        --argjson first "$(with_key sab-1 key show --jwk)" --argjson second "$(with_key sab-2 key show --jwk)" \
        'def admit: [{target: $target, operations: ["DELETE", "PUT"], resources: [{prefix: $prefix}], risk: "L5"}];
         {domain: $domain, policy_epoch: $epoch, authorities: [{name: "sab-1", jwk: $first, admit: admit}, {name: "sab-2", jwk: $second, admit: admit}],
          signatures: {L0: 1, L1: 1, L2: 2, L3: 2, L4: 2, L5: 2}, validity_s: 3600, credential_s: $credential, request_age_s: 300,
          body_bytes: 32768, version_from: "L1", freezes: [], hsm: $hsm, verifiers: $verifiers, approval: {countersigners: [], needed: 0}}'
}

stand_config() {
    jq -n --arg dir "$STAND" --arg domain "$STAND_DOMAIN" --arg pkcs11 "$SOFTHSM_MODULE" --slurpfile targets "$STAND/target.json" \
        --argjson door "$(<"$STAND/door.json")" \
        --argjson policy "$(with_key policy key show --jwk)" --argjson revocation "$(with_key revocation key show --jwk)" \
        '{domain: $domain, instance: "seb-1", state_dir: ($dir + "/state"), run_dir: ($dir + "/run"),
          bus: {verifier: $door}, limits: {pipes: 256, in_flight_per_uid: 512, rate_per_s_per_uid: 100000, in_flight_per_agent: 64, refusals_per_minute_per_agent: 600},
          tpm: {path: ($dir + "/tpm/tpm"), firmware_log: ($dir + "/firmware"), ima_log: ($dir + "/ima")},
          mint_key: {backend: "pkcs11", "module": $pkcs11, token: "seb", pin_file: ($dir + "/hsm/pin"), label: "mint-1", sessions: 2},
          pinned: {policy: $policy, revocation: $revocation}, targets: $targets[0]}' | jq "$STAND_CONFIG_FILTER" >"$STAND/sebd.json"
}

stand_statements() { # signs policy and epoch into $STAND/policy.jws and epoch.jws
    stand_policy_json | jq "$STAND_POLICY_FILTER" >"$STAND/policy.json" || return 1
    with_key policy policy sign "$STAND/policy.json" >"$STAND/policy.jws" || return 1
    with_key revocation epoch sign --domain "$STAND_DOMAIN" --epoch "$STAND_EPOCH" --valid-s 86400 >"$STAND/epoch.jws"
}

stand_prepare() {
    STAND=$1
    mkdir -p "$STAND"/{tpm,hsm,authority,agents,cert,run} && chmod 755 "$STAND" && chmod 700 "$STAND/run" || return 1
    start_swtpm "$STAND/tpm" && start_softhsm "$STAND/authority" authority && start_softhsm "$STAND/agents" agent &&
        start_softhsm "$STAND/hsm" seb || return 1
    local key
    for key in sab-1 sab-2 policy revocation; do with_key $key key new >/dev/null || return 1; done
    fence_prepare "$STAND" docs || return 1
    [ -z "${STAND_WIRETAP:-}" ] || stand_wiretap || return 1
    verifier_prepare || return 1
    stand_config || return 1
    sebctl_at init >"$STAND/init.out" || return 1
    fence_service_start "$STAND" && fence_write "$STAND" "$STAND/sebd.json" && fence_start "$STAND" || return 1
    stand_agent agent-1 && stand_statements && verifier_reference
}

# The broker reaches the fence through an eavesdropper (tests/lib/wiretap): the target's prefix names its port.
stand_wiretap() {
    local tap
    tap=$(fence_port) || return 1
    fence_load "$STAND"
    sed -i "s|^prefix .*|prefix https://localhost:$tap/|; s|^host .*|host localhost:$tap|" "$STAND/env"
    echo "tap $tap" >>"$STAND/env"
    jq --arg prefix "https://localhost:$tap/" '.docs.prefix = $prefix' "$STAND/target.json" >"$STAND/target.new" && mv "$STAND/target.new" "$STAND/target.json"
    mkdir -p "$STAND/tap"
    "$stand_lib/wiretap" "$tap" "${F[port]}" "$STAND/pki/front.pem" "$STAND/pki/ca.crt" "$STAND/tap" >"$STAND/tap.log" 2>&1 &
    echo $! >"$STAND/tap.pid"
    wait_for 5 test -e "$STAND/tap/ready" || stand_fail "the wiretap doesn't start: $(cat "$STAND/tap.log")"
}
tap_mode() { printf '%s\n' "$1" >"$STAND/tap/mode.new" && mv "$STAND/tap/mode.new" "$STAND/tap/mode"; }
tap_newest() { find "$STAND/tap" -name "*.$1" | sort | tail -n 1; }
# tap_credential: the newest credential that was overheard
tap_credential() { sed -n 's/^[Aa]uthorization: Bearer \([^\r]*\).*/\1/p' "$(tap_newest request)" | head -n 1; }

# SoftHSM writes the token's file at each login, and who reads it just then finds no token. So of many requests at once each is signed
# before (--request-only), and sent with --request, which opens no token.
submit_at() { SOFTHSM2_CONF=$STAND/agents/softhsm2.conf "$SEB_BIN/seb-submit" "$@"; } # seb-submit with the agents' HSM
stand_agent() {
    submit_at key new --module "$SOFTHSM_MODULE" --token agent --pin-file "$STAND/agents/pin" --key "$1" --jwk >"$STAND/agents/$1.jwk"
}

stand_broker_runs() { sebctl_at status >"$STAND/status.out" 2>&1; }

stand_broker_only() {
    SOFTHSM2_CONF=$STAND/hsm/softhsm2.conf "$SEB_BIN/sebd" --config "$STAND/sebd.json" --libexec "$STAND_LIBEXEC" >>"$STAND/sebd.log" 2>&1 &
    echo $! >"$STAND/sebd.pid"
    disown $! # or bash would comment on its end
    wait_for 20 stand_broker_runs || stand_fail "the broker doesn't start: $(tail -n 5 "$STAND/sebd.log")" || return 1
    # After an unclean end a certificate of the very second of the start counts as one of before.
    local second=$EPOCHSECONDS
    while [ "$EPOCHSECONDS" = "$second" ]; do read -rt 0.02 <> <(:) || :; done
}
stand_load() { # what a broker is told once: policy, epoch, what is approved; then it is enrolled
    sebctl_at policy load "$STAND/policy.jws" >/dev/null && sebctl_at epoch advance "$STAND/epoch.jws" >/dev/null && approve &&
        verifier_enrol
}
stand_broker() {
    stand_broker_only || return 1
    [ -e "$STAND/loaded" ] || stand_load || return 1
    [ -s "$STAND/verifier.pid" ] || verifier_start
    stand_broker_is_attested && : >"$STAND/loaded"
}
stand_broker_is_attested() { # and the fence takes its mint key
    wait_for 30 attested || stand_fail "the broker isn't attested: $(sebctl_at status; tail -n 5 "$STAND/verifier.log" "$STAND/sebd.log")" || return 1
    [ -e "$STAND/allowed" ] || stand_fence_allow
}

# The revocation epoch moves, in the steps of its parties:
#   stand_epoch N             the revocation authority's statement, which moves the TPM's counter: from here on the chip signs nothing
#   stand_epoch_retire KID    the revocation authority retires the old mint key at the fence
#   stand_epoch_approve       the policy authority approves the state at the new epoch; the new mint key's PEM goes to the fence, and is allowed there
#                             by the revocation authority, who trusts the verifier's result
stand_epoch() {
    STAND_EPOCH=$1
    with_key revocation revoke --domain "$STAND_DOMAIN" --epoch "$1" --valid-s 86400 >"$STAND/epoch.jws" && sebctl_at epoch advance "$STAND/epoch.jws" >/dev/null
}
stand_fence_sab() {
    local word=$1
    shift
    "$SEB_BIN/sab" fence "$word" --socket "$STAND/fence/haproxy.sock" --map "$STAND/fence/kids.map" "$@" >/dev/null 2>"$STAND/sab-fence.err" || { cat "$STAND/sab-fence.err" >&2; return 1; }
}
stand_epoch_retire() { stand_fence_sab retire "$1"; }
stand_mint_key_is_new() { [ "$(sebctl_at status --json | jq -r .keys.mint)" != "$1" ] && attested; }
stand_result_names() { # the verifier's newest result names this mint key
    verifier_at results seb-1 --jwt >"$STAND/result.jwt" && cut -d. -f2 "$STAND/result.jwt" | decoded | grep -q "\"mint\":\"$1\""
}
stand_result_allows() { # the newest: one that holds for seconds may be over before sab reads it
    stand_result_names "$1" && stand_fence_sab allow "$1" --result "$STAND/result.jwt" --verifier "$STAND/verifier.jwk"
}
stand_fence_allow() {
    local kid
    kid=$(sebctl_at status --json | jq -r .keys.mint)
    verifier_jwk result >"$STAND/verifier.jwk"
    wait_for 20 stand_result_names "$kid" || stand_fail "no result names the mint key $kid" || return 1
    wait_for 20 stand_result_allows "$kid" || stand_fail "the mint key isn't allowed: $(cat "$STAND/sab-fence.err")" || return 1
    : >"$STAND/allowed"
}
stand_epoch_approve() {
    local old
    old=$(sebctl_at status --json | jq -r .keys.mint)
    approve || return 1
    wait_for 30 stand_mint_key_is_new "$old" || stand_fail "no new mint key: $(sebctl_at status)" || return 1
    fence_write "$STAND" "$STAND/sebd.json" >/dev/null 2>&1 && stand_fence_allow && wait_for 10 fence_hands_over "$STAND" && fence_reload "$STAND"
}

stand_broker_stop() {
    [ -s "$STAND/sebd.pid" ] || return 0
    end_pid "$(<"$STAND/sebd.pid")" "${1:-TERM}"
    rm -f "$STAND/sebd.pid"
}

stand_end() {
    [ -n "${STAND:-}" ] || return 0
    verifier_stop || true
    stand_broker_stop || true
    [ ! -s "$STAND/door/port" ] || rm -f "/tmp/.seb-port.$(<"$STAND/door/port")"
    fence_stop "$STAND" || true
    if [ -s "$STAND/tap.pid" ]; then
        end_pid "$(<"$STAND/tap.pid")" || true
        wait "$(<"$STAND/tap.pid")" 2>/dev/null || true
        rm -f "/tmp/.seb-port.$(sed -n 's/^tap //p' "$STAND/env")"
    fi
    stop_swtpm "$STAND/tpm" || true
}

# stand_certify NAME [word=value…]: a certificate for a mutation of a document. Words and their defaults:
#   operation=PUT document=NAME resource=<prefix><document> body=<file, for PUT> media=text/plain agent=agent-1 risk=L1 signer=sab-1
#   etag=<live, asked at the service> | etag= (none) | absent=1; sha256=<base64url>; credential_s=5 valid_s=600 domain epoch policy_epoch not_before
stand_certify() {
    local name=$1 key
    local -A w=([operation]=PUT [document]=$1 [media]=text/plain [agent]=agent-1 [risk]=L1 [signer]=sab-1 [credential_s]=5 [valid_s]=600
        [domain]=$STAND_DOMAIN [epoch]=$STAND_EPOCH [policy_epoch]=$STAND_POLICY_EPOCH)
    shift
    for key in "$@"; do w[${key%%=*}]=${key#*=}; done
    fence_load "$STAND"
    : "${w[resource]:=${F[prefix]}${w[document]}}"
    if [ -z "${w[absent]:-}" ] && [ -z "${w[etag]+set}" ]; then w[etag]=$(fence_etag "$STAND" "${w[document]}"); fi
    jq -n --arg target "${w[target]:-${F[target]}}" --arg operation "${w[operation]}" --arg resource "${w[resource]}" --arg risk "${w[risk]}" \
        --arg media "${w[media]}" --arg etag "${w[etag]:-}" --arg sha256 "${w[sha256]:-}" --argjson absent "${w[absent]:-0}" \
        --argjson credential_s "${w[credential_s]}" \
        '{target: $target, operation: $operation, resource: $resource, risk: $risk, constraints: {credential_s: $credential_s},
          parameters: (if $operation == "PUT" then {body: {media_type: $media}} else {} end),
          preconditions: (if $absent == 1 then {absent: true} else {} + (if $etag != "" then {etag: $etag} else {} end) +
              (if $sha256 != "" then {sha256: $sha256} else {} end) end)}' >"$STAND/cert/$name.proposal" || return 1
    local body=()
    [ "${w[operation]}" != PUT ] || body=(--body "${w[body]}")
    stand_sign "$name" "${body[@]}"
}
# From the proposal in $STAND/cert/NAME.proposal to the certificate, by the words in w of who calls.
stand_sign() { # NAME [--body FILE]
    local name=$1
    sab_at contract "$STAND/cert/$name.proposal" "${@:2}" >"$STAND/cert/$name.contract" || return 1
    printf 'ticket %s\n' "$name" >"$STAND/cert/$name.evidence"
    with_key "${w[signer]}" certify --contract "$STAND/cert/$name.contract" --agent "$STAND/agents/${w[agent]}.jwk" \
        --evidence "$STAND/cert/$name.evidence" --domain "${w[domain]}" --policy-epoch "${w[policy_epoch]}" --epoch "${w[epoch]}" \
        --valid-s "${w[valid_s]}" ${w[not_before]:+--not-before "${w[not_before]}"} >"$STAND/cert/$name.json"
}

# stand_submit NAME [options…]: with the key of agent-1, unless --agent names another one or the request was signed elsewhere (--request)
stand_submit() {
    local options=(--socket "$STAND/run/agents.sock" --certificate "$STAND/cert/$1.json") agent=agent-1
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --agent) agent=$2 && shift ;;
            --request) agent= && options+=("$1") ;;
            *) options+=("$1") ;;
        esac
        shift
    done
    [ -z "$agent" ] || options+=(--module "$SOFTHSM_MODULE" --token agent --pin-file "$STAND/agents/pin" --key "$agent")
    submit_at "${options[@]}"
}

# The same, with the answer kept in $STAND/reply.json for the words below. A reply that never came is an empty object.
submit() {
    stand_submit "$@" --json >"$STAND/reply.json" 2>"$STAND/reply.err" || true
    grep -v '^proved' "$STAND/reply.err" >&2 || true
    [ -s "$STAND/reply.json" ] || echo '{}' >"$STAND/reply.json"
}
reply() { jq -r "$1" "${2:-$STAND/reply.json}"; }
code() { reply '[.status, .rule, .code] | map(select(.)) | join(" ")' "$@"; }
outcome() { # or what was said instead
    reply 'if .outcome then .outcome.entry | fromjson | "\(.result), on evidence: \(.evidence)" else [.status, .rule, .code] | map(select(.)) | join(" ") end' "$@"
}
decoded() { jq -Rr 'gsub("-"; "+") | gsub("_"; "/") | @base64d'; } # base64url
