# shellcheck shell=bash
# A broker whose target is a real cluster, fenced by what sebctl writes for it: the words of stand.sh and kube.sh together. Source it after them.
#
#   kube_stand DIR            hardware, cluster, fence, broker; returns when the broker is attested and the fence takes its mint key. The target's
#                             name is "cluster"; the namespaces of KUBE_PROTECTED are fenced, "open" is not
#   kube_fence_write [OPTION…]   sebctl fence kubernetes into $KUBE/fence, and what is to be published where it is published
#   kube_allow [KID]          the revocation authority allows a mint key at the cluster's fence
#   kube_certify NAME [word=value…]   a certificate into $STAND/cert/NAME.json, see there
#   kube_live NAME PATH       the live object, as the administrator reads it, into $STAND/live/NAME
#   kube_of NAME FILTER       a value of it

: "${KUBE_PROTECTED:=prod}" "${KUBE_SETTLE_MS:=2000}" "${KUBE_MAPPING:=extra}"

kube_target_filter() {
    jq -n -r --arg server "$KUBE_SERVER/" --arg ca "$KUBE_CA" --arg issuer "$KUBE_ISSUER" --arg mapping "$KUBE_MAPPING" --argjson settle "$KUBE_SETTLE_MS" \
        '{kind: "kubernetes", prefix: $server, audience: "cluster-a", ca: $ca, issuer: $issuer, mapping: $mapping, timeout_ms: 10000,
          settle_ms: $settle, answer_bytes: 4194304} | "| .targets.cluster = \(tojson)"'
}

kube_fence_write() {
    local options=() space
    for space in $KUBE_PROTECTED; do options+=(--namespace "$space"); done
    sebctl_at fence kubernetes --target cluster "${options[@]}" --break-glass "$KUBE_BREAK_GLASS" --discovery-ca "$KUBE_CA" --write "$KUBE/fence" "$@" &&
        cp -r "$KUBE/fence/www/." "$KUBE_WWW/"
}

kube_allow() {
    local kid=${1:-$(sebctl_at status --json | jq -r .keys.mint)}
    wait_for 20 stand_result_names "$kid" || stand_fail "no result names the mint key $kid" || return 1
    verifier_jwk result >"$STAND/verifier.jwk"
    kube_kubeconfig revoker "$STAND/revoker.kubeconfig"
    "$SEB_BIN/sab" fence allow --kubeconfig "$STAND/revoker.kubeconfig" "$kid" --result "$STAND/result.jwt" --verifier "$STAND/verifier.jwk" >/dev/null ||
        stand_fail "the mint key isn't allowed at the cluster's fence"
}

kube_is_fenced() { # a policy is compiled a moment after it is stored
    local space
    for space in $KUBE_PROTECTED; do
        ! kubectl_as agent -n "$space" create configmap fence-probe --dry-run=server >/dev/null 2>&1 || return 1
    done
}

kube_stand() {
    local space
    kube_prepare "$1/kube" || return 1
    STAND_CONFIG_FILTER+=" $(kube_target_filter)"
    STAND_POLICY_FILTER+=' | .authorities[].admit += [{target: "cluster", operations: ["create", "delete", "patch", "update"], risk: "L5",
        resources: [{prefix: "/api/"}, {prefix: "/apis/"}]}]'
    stand_prepare "$1" || return 1
    mkdir -p "$STAND/live"
    kube_fence_write || return 1
    kube_start "$KUBE" "$KUBE/fence/authentication.yaml" "$KUBE/fence/authorization.yaml" || return 1
    for space in $KUBE_PROTECTED open; do kubectl_as keeper create namespace "$space" >/dev/null || return 1; done
    kubectl_as keeper apply -f "$KUBE/fence/fence.yaml" >/dev/null || return 1
    wait_for 20 kube_is_fenced || stand_fail "the fence doesn't close" || return 1
    stand_broker && kube_allow
}

kube_live() { kubectl_as admin get --raw "$2" >"$STAND/live/$1"; }
kube_of() { jq -r "$2" "$STAND/live/$1"; }

# kube_certify NAME [word=value…]: words and their defaults:
#   operation=patch path=<API path> body=<file> media=application/merge-patch+json fields=<JSON list: what the contract makes of the object>
#   version=<resourceVersion> uid=<uid> pre=<JSON list of fields> absent=1   (none of these: the version of the live object)
#   dry_run=1 post=<JSON list> manager force=1 propagation grace agent=agent-1 risk=L1 signer=sab-1 credential_s=5 valid_s=600 epoch policy_epoch
kube_certify() {
    local name=$1 key body=()
    # shellcheck disable=SC2034 # stand_sign reads it
    local -A w=([operation]=patch [media]=application/merge-patch+json [agent]=agent-1 [risk]=L1 [signer]=sab-1 [credential_s]=5 [valid_s]=600
        [domain]=$STAND_DOMAIN [epoch]=$STAND_EPOCH [policy_epoch]=$STAND_POLICY_EPOCH)
    shift
    for key in "$@"; do w[${key%%=*}]=${key#*=}; done
    if [ -z "${w[absent]:-}${w[version]:-}${w[uid]:-}${w[pre]:-}" ]; then
        kube_live "$name" "${w[path]%/eviction}" || return 1
        w[version]=$(kube_of "$name" .metadata.resourceVersion)
    fi
    jq -n --arg operation "${w[operation]}" --arg path "${w[path]}" --arg media "${w[body]:+${w[media]}}" --argjson fields "${w[fields]:-null}" \
        --arg version "${w[version]:-}" --arg uid "${w[uid]:-}" --argjson pre "${w[pre]:-null}" --argjson absent "${w[absent]:-0}" \
        --argjson dry_run "${w[dry_run]:-0}" --argjson post "${w[post]:-null}" --arg manager "${w[manager]:-}" --argjson force "${w[force]:-0}" \
        --arg propagation "${w[propagation]:-}" --argjson grace "${w[grace]:-null}" --arg risk "${w[risk]}" --argjson credential_s "${w[credential_s]}" \
        'def given($name; $value): if $value == null or $value == "" or $value == 0 then {} else {($name): $value} end;
         {target: "cluster", operation: $operation, resource: $path, risk: $risk,
          parameters: (given("fields"; $fields) + given("field_manager"; $manager) + given("propagation"; $propagation) +
              (if $grace == null then {} else {grace_s: $grace} end) + (if $force == 1 then {force: true} else {} end) +
              (if $media == "" then {} else {body: {media_type: $media}} end)),
          preconditions: (if $absent == 1 then {absent: true} else
              given("resource_version"; $version) + given("uid"; $uid) + given("fields"; $pre) end),
          constraints: ({credential_s: $credential_s} + (if $dry_run == 1 then {dry_run: true} else {} end))} +
         (if $post == null then {} else {postconditions: {fields: $post}} end)' >"$STAND/cert/$name.proposal" || return 1
    [ -z "${w[body]:-}" ] || body=(--body "${w[body]}")
    stand_sign "$name" "${body[@]}"
}

# What a thief in the keeper's place could do: sign with the broker's own mint key, in its HSM. Claims come as JSON on stdin; prints the credential.
kube_stolen() {
    local head claims kid
    kid=$(sebctl_at status --json | jq -r .keys.mint)
    head=$(jq -cnj --arg kid "$kid" '{alg: "ES256", kid: $kid, typ: "JWT"}' | basenc --base64url -w0 | tr -d =)
    claims=$(jq -cj . | basenc --base64url -w0 | tr -d =)
    printf %s "$head.$claims" | openssl dgst -sha256 -binary >"$STAND/stolen.digest"
    SOFTHSM2_CONF=$STAND/hsm/softhsm2.conf pkcs11-tool --module "$SOFTHSM_MODULE" --token-label seb --login --pin "$(<"$STAND/hsm/pin")" --sign \
        --mechanism ECDSA --label mint-1 --input-file "$STAND/stolen.digest" --output-file "$STAND/stolen.raw" >/dev/null 2>&1 || return 1
    printf %s.%s.%s "$head" "$claims" "$(basenc --base64url -w0 "$STAND/stolen.raw" | tr -d =)"
}
# kube_claims INDEX: what the credential of this record said, by the audit of an export
kube_claims() { "$SEB_BIN/seb-audit" claims --trust "$STAND/trust.json" "$STAND/export" "$1"; }
# kube_with TOKEN METHOD PATH [curl's options…]: the API server's answer: status, reason, message
kube_with() {
    local status
    status=$(curl -s -m 30 -o "$STAND/said" -w '%{http_code}' --cacert "$KUBE_CA" -X "$2" -H "Authorization: Bearer $1" "${@:4}" "$KUBE_SERVER$3")
    echo "$status $(jq -r '[.reason, .message] | map(select(.)) | join(" ")' "$STAND/said" 2>/dev/null)"
}
