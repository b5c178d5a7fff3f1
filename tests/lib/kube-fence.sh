# shellcheck shell=bash
# Attacks on the fence of a Kubernetes cluster: the cluster of tests/kube/world.yaml behind the fence that `sebctl fence kubernetes` writes, and
# the words to try it. Sourced after kube-test.sh.
#
# FENCE=off is the control: the same cluster and the same attacks without a fence, where each attack has to get through, or else its refusal
# would show nothing. So that they don't disturb each other then, they only rehearse (dryRun=All), but for those that say otherwise.
. "$kube_lib/token.sh"
: "${FENCE:=on}" "${SEB_BIN:=$PWD}" "${MAPPING:=extra}"
fenced() { [ "$FENCE" != off ]; }

# ---- the fence

fence_target=cluster-a
fence_kinds=(clusterroles.rbac.authorization.k8s.io clusterrolebindings.rbac.authorization.k8s.io nodes persistentvolumes)
fence_config() {
    local jwk
    jwk=$(token_jwk "$dir/mint") && jq -n --argjson jwk "$jwk" --arg server "$KUBE_SERVER/" --arg ca "$KUBE_CA" --arg issuer "$KUBE_ISSUER" \
        --arg target "$fence_target" --arg mapping "$MAPPING" \
        '{domain: "tests", instance: "one", mint_key: {backend: "tpm"}, pinned: {policy: $jwk, revocation: $jwk},
          targets: {($target): {kind: "kubernetes", prefix: $server, audience: $target, $ca, $issuer, $mapping, timeout_ms: 10000, settle_ms: 2000,
              answer_bytes: 1048576}}}'
}
fence_files() { # what an operator writes once, before the cluster starts
    local kind kinds=()
    for kind in "${fence_kinds[@]}"; do kinds+=(--cluster-kind "$kind"); done
    fence_config >"$dir/sebd.json" &&
        "$SEB_BIN/sebctl" fence kubernetes --config "$dir/sebd.json" --target $fence_target --namespace prod --namespace bank --namespace later "${kinds[@]}" \
            --exempt system:serviceaccount:trusted:robot=UPDATE:configmaps --break-glass "$KUBE_BREAK_GLASS" --keys "$kid=$dir/mint.pub" --keys "$kid_next=$dir/next.pub" --discovery-url "$KUBE_ISSUER" \
            --discovery-ca "$KUBE_CA" --write "$dir/fence" && cp -r "$dir/fence/www/." "$KUBE_WWW/"
}
no_fence_issuer() { # KID PUBLIC-KEY: its discovery document and key set, written without sebctl
    local url=$KUBE_ISSUER/$1 jwk
    mkdir -p "$KUBE_WWW/$1/.well-known" && jwk=$(token_jwk "${2%.pub}") || return 1
    jq -nc --argjson jwk "$jwk" --arg kid "$1" '{keys: [$jwk + {$kid, alg: "ES256", use: "sig"}]}' >"$KUBE_WWW/$1/jwks"
    jq -nc --arg url "$url" '{issuer: $url, jwks_uri: ($url + "/jwks"), response_types_supported: ["id_token"], subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"]}' >"$KUBE_WWW/$1/.well-known/openid-configuration"
    cat <<Y
- issuer:
    url: $url
    audiences: [$fence_target]
    certificateAuthority: |
$(sed 's/^/      /' "$KUBE_CA")
  claimMappings:
    username: {expression: claims.sub}
    groups: {expression: '["seb-brokers"]'}
Y
}
no_fence_files() { # tokens are taken, and that is all
    mkdir -p "$dir/fence" && {
        printf 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n'
        no_fence_issuer "$kid" "$dir/mint.pub" && no_fence_issuer "$kid_next" "$dir/next.pub"
    } >"$dir/fence/authentication.yaml"
    printf 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers: [{type: RBAC, name: rbac}]\n' >"$dir/fence/authorization.yaml"
}

fence_allow_keys() { # KID...: the revocation authority's word
    kube_curl revoker /api/v1/namespaces/seb-system/configmaps/mint-keys -f -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' \
        --data "$(jq -nc --arg allowed "$*" '{data: {$allowed}}')"
}
# The API server compiles a policy a moment after it has stored it: the fence stands when both of its policies refuse.
fence_stands() {
    [ "$(api agent POST '/api/v1/namespaces/prod/configmaps?dryRun=All' '{"metadata": {"name": "probe"}}')" = 403 ] &&
        [ "$(api agent POST '/api/v1/namespaces/bank/configmaps?dryRun=All' '{"metadata": {"name": "probe"}}')" = 403 ]
}
fence_takes() { # a credential is taken: the policy's parameter has arrived
    kube_token create - configmaps - prod taken fields='["-"]'
    [ "$(api token POST '/api/v1/namespaces/prod/configmaps?dryRun=All' '{"metadata": {"name": "taken"}}')" = 201 ]
}
world_settled() {
    [ "$(kube_curl admin "/apis/apps/v1/namespaces/prod/deployments/web" | jq '.status.replicas // 0')" = 2 ] &&
        [ "$(kube_curl admin '/api/v1/namespaces/prod/resourcequotas/quota' | jq -r '.status.used["count/pods"] // ""')" = 4 ] &&
        [ "$(kube_curl admin '/apis/policy/v1/namespaces/prod/poddisruptionbudgets/web' | jq '.status.observedGeneration // 0')" = 1 ] &&
        kube_curl admin /api/v1/namespaces/elsewhere/serviceaccounts/default -fo /dev/null
}
bound() { [ "$(kube_curl admin "/api/v1/namespaces/prod/persistentvolumeclaims/$1" | jq -r '.status.phase')" = Bound ]; }
world_owned() { # NAMESPACE KIND VERSION UID: config map "owned" by such an "owner"
    kubectl_as admin apply --server-side -f - >"$dir/apply.out" <<<"{apiVersion: v1, kind: ConfigMap, metadata: {namespace: $1, name: owned,
        ownerReferences: [{apiVersion: $3, kind: $2, name: owner, uid: $4}]}}"
}
world_apply() { kubectl_as admin apply --server-side -f "$kube_lib/../kube/world.yaml" >"$dir/apply.out" 2>&1; }
fence_cluster() { # the whole stand; the world is laid before the fence stands
    must kube_prepare "$dir/c"
    token_key "$dir/mint" && token_key "$dir/next" && token_key "$dir/other" || exit 1
    kid=$(token_kid "$dir/mint") kid_next=$(token_kid "$dir/next") kid_other=$(token_kid "$dir/other")
    if fenced; then must fence_files; else must no_fence_files; fi
    must kube_start "$dir/c" "$dir/fence/authentication.yaml" "$dir/fence/authorization.yaml"
    wait_for 30 world_apply || { cat "$dir/apply.out"; not_ok 'the world'; exit 1; }
    must wait_for 60 world_settled
    must wait_for 60 bound vault
    # Owned by what belongs to no namespace.
    must world_owned prod PriorityClass scheduling.k8s.io/v1 "$(uid /apis/scheduling.k8s.io/v1/priorityclasses/owner)"
    if fenced; then
        must kubectl_as admin apply --server-side -f "$dir/fence/fence.yaml" >"$dir/fence.out"
        must wait_for 30 fence_allow_keys "$kid" "$kid_next"
        must wait_for 60 fence_stands
        must wait_for 60 fence_takes
    else
        must kubectl_as admin create clusterrolebinding seb-brokers --clusterrole=cluster-admin --group=seb-brokers >"$dir/fence.out"
        must kubectl_as admin create namespace seb-system >"$dir/fence.out"
        must kubectl_as admin -n seb-system create configmap mint-keys --from-literal=allowed="$kid" >"$dir/fence.out"
    fi
}

# ---- calls

# api WHO METHOD PATH [BODY]: the status; the answer lies in $dir/answer. WHO is a name of kube.sh, - for nobody, token for the bearer of $t.
# CTYPE is the body's media type (a patch is a merge patch otherwise), headers=(-H …) more of curl's words.
headers=()
api() {
    local who=(--cert "$KUBE/pki/$1.crt" --key "$KUBE/pki/$1.key") body=() type=${CTYPE:-application/json}
    case $1 in token) who=(-H "Authorization: Bearer $t") ;; -) who=() ;; esac
    : >"$dir/answer"
    [ "$2" != PATCH ] || type=${CTYPE:-application/merge-patch+json}
    [ -z "${4+set}" ] || body=(-H "Content-Type: $type" --data-binary "$4")
    curl -s -m 60 -o "$dir/answer" -w '%{http_code}' --cacert "$KUBE_CA" --path-as-is -X "$2" "${headers[@]}" "${who[@]}" "${body[@]}" "$KUBE_SERVER$3"
}
said() { jq -r '.message // "" | tostring' "$dir/answer" 2>/dev/null | head -c 300 || head -c 300 "$dir/answer"; }
rehearsed() { case $1 in *\?*) echo "$1&dryRun=All" ;; *) echo "$1?dryRun=All" ;; esac; }

# Refused by admission or by RBAC, or by the authorizer that guards: that one asks a webhook which isn't there, and the API server calls it an error.
is_refused() { # STATUS [PATTERN]
    [[ $1 == ${2:-403} ]] || { [ "$1" = 500 ] && grep -q 'denied-by-the-fence' "$dir/answer"; }
}
# attack NAME WHO METHOD PATH [BODY]: with the fence refused; without it what THROUGH says (2xx). Variables for one attack,
# written before it: CTYPE, headers, THROUGH, REAL=1 (not only rehearsed without the fence), REFUSED (another status than 403).
attack() {
    local name=$1 path=$4 status
    shift
    if ! fenced && [ "$2" != GET ] && [ -z "${REAL:-}" ]; then path=$(rehearsed "$path"); fi
    status=$(api "$1" "$2" "$path" "${@:4}")
    if fenced; then
        if is_refused "$status" "${REFUSED:-403}"; then ok "$name"; else not_ok "$name" "NOT refused: $status: $(said)"; fi
    elif [[ $status =~ ^${THROUGH:-2..}$ ]]; then ok "without the fence: $name"; else
        not_ok "without the fence it fails too, so it shows nothing: $name" "$status: $(said)"
    fi
    headers=()
}
# forged NAME METHOD PATH [BODY]: the API server itself knows no such credential, fence or not
forged() {
    local name=$1 status
    shift
    status=$(api token "$@")
    if [ "$status" = 401 ]; then ok "$name"; else not_ok "$name" "NOT refused: $status: $(said)"; fi
}
# honest NAME WHO METHOD PATH [BODY]: succeeds, with and without
honest() {
    local name=$1 status
    shift
    status=$(api "$@")
    if [[ $status =~ ^${THROUGH:-2..}$ ]]; then ok "$name"; else not_ok "$name" "refused: $status: $(said)"; fi
}

# ---- what is there

object() { kube_curl admin "$1" | jq -r "${2:-.}"; } # PATH [JQ]
version() { object "$1" .metadata.resourceVersion; }
uid() { object "$1" .metadata.uid; }
# Everything in the protected namespaces, as kind, name, uid and version; events come and go by themselves.
contents() {
    local kind
    for kind in api/v1/{configmaps,secrets,pods,services,serviceaccounts,replicationcontrollers,resourcequotas,limitranges,persistentvolumeclaims} \
        apis/apps/v1/{deployments,replicasets,statefulsets,daemonsets} apis/batch/v1/{jobs,cronjobs} apis/coordination.k8s.io/v1/leases \
        apis/policy/v1/poddisruptionbudgets apis/networking.k8s.io/v1/networkpolicies apis/rbac.authorization.k8s.io/v1/{roles,rolebindings} \
        apis/autoscaling/v2/horizontalpodautoscalers apis/seb.test/v1/widgets; do
        kube_curl admin "/$kind" | jq -r --arg kind "$kind" '.items[] | select(.metadata.namespace | IN("prod", "bank", "seb-system")) |
            "\($kind) \(.metadata.namespace)/\(.metadata.name) \(.metadata.uid) \(.metadata.resourceVersion)"'
    done
}

# ---- credentials, made with a stolen key

# kube_token VERB GROUP RESOURCE SUBRESOURCE NAMESPACE NAME [CLAIM=JSON…]: into t; CLAIM= alone leaves the claim out. KEY and KID as in token.sh.
kube_token() {
    local key=${KEY:-$dir/mint} id=${KID:-$kid} now claim name text
    local -A c
    now=$(date +%s)
    c=([iss]="\"$KUBE_ISSUER/$id\"" [sub]='"seb:one:leaf"' [aud]="\"$fence_target\"" [iat]=$now [nbf]=$now [exp]=$((now + 30))
        [jti]="\"$(head -c 32 /dev/urandom | token_b64)\"" [cid]='"c"' [dom]='"tests"' [ins]='"one"' [att]='"none"' [use]='"mutate"'
        [verb]="\"$1\"" [group]="\"$2\"" [resource]="\"$3\"" [subresource]="\"$4\"" [namespace]="\"$5\"" [name]="\"$6\"" [uid]='"-"' [version]='"-"'
        [contract]='"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"' [fields]='["-"]' [body]='"fenced"')
    shift 6
    for claim in "$@"; do
        name=${claim%%=*} c[$name]=${claim#*=}
        [ -n "${c[$name]}" ] || unset "c[$name]"
    done
    text=$(for name in "${!c[@]}"; do printf '"%s":%s\n' "$name" "${c[$name]}"; done | LC_ALL=C sort | paste -sd,)
    [ "$MAPPING" != groups ] || text=$(kube_groups "{$text}")
    text=$(printf %s "${HEADER:-{\"alg\":\"ES256\",\"kid\":\"$id\",\"typ\":\"JWT\"\}}" | token_b64).$(printf %s "{$text}" | token_b64)
    t=$text.$(token_signature "$text" "$key")
}
# Where a cluster maps nothing but groups, the words travel as such.
kube_groups() {
    jq -c '. as $c | [("verb", "group", "resource", "subresource", "namespace", "name", "uid", "version", "contract", "use", "body", "cid") |
        select($c[.]) | "\(.)=\($c[.])"] + ["decision=\($c.jti)", "attestation=\($c.att)"] + [($c.fields // [])[] | "field=\(.)"] |
        $c + {groups: (["broker"] + .)}' <<<"$1" | sed 's/^{//; s/}$//'
}
fields() { jq -nc '$ARGS.positional' --args -- "$@"; } # POINTER=VALUE…, as a claim
# for_object VERB PATH [CLAIM=JSON…]: the credential for what lies at this path, as it is now
for_object() {
    local verb=$1 path=$2 parts group=- namespace=- name sub
    shift 2
    IFS=/ read -ra parts <<<"${path#/}"
    if [ "${parts[0]}" = api ]; then parts=("${parts[@]:2}"); else group=${parts[1]} parts=("${parts[@]:3}"); fi
    if [ "${parts[0]}" = namespaces ] && [ ${#parts[@]} -gt 3 ]; then namespace=${parts[1]} parts=("${parts[@]:2}"); fi
    name=${parts[1]} sub=${parts[2]:--}
    local at=${path%"/$sub"} words=()
    [ "$verb" = create ] || words=(version="\"$(version "$at")\"" uid="\"$(uid "$at")\"")
    kube_token "$verb" "$group" "${parts[0]}" "$sub" "$namespace" "$name" "${words[@]}" "$@"
}
decoded_claims() { tr '_-' '/+' | awk '{ while (length % 4) $0 = $0 "="; print }' | base64 -d; } # base64url
