# shellcheck shell=bash
# A Kubernetes cluster of real parts for tests, stories and the bench: Debian's etcd, and kube-apiserver, kube-controller-manager, kubectl and
# kubeadm, built from the Go module k8s.io/kubernetes. Source it (bash). Each cluster lives in a folder of its own, on loopback and on free ports, so
# that many run side by side.
#
#   kube_build                builds what isn't built yet, once for all checkouts; sets KUBE_BIN
#   kube_prepare DIR          ports, CA and certificates; sets the variables below, so that a configuration can name them
#   kube_start DIR [AUTHENTICATION AUTHORIZATION]
#                             (prepares and) starts etcd, the API server with these two files, and the controllers; returns when all serve.
#                             Without the files: client certificates and RBAC alone. A cluster that was stopped comes back as it was
#   kube_stop                 ends all of it, by pid, the API server before its etcd; DIR stays
#   kube_load DIR             the variables, of a cluster that another process started
#   kube_api_stop, kube_api_start [AUTHENTICATION AUTHORIZATION]      the API server alone
#   kubectl_as NAME ARG...    kubectl with the client certificate of NAME
#   kube_curl NAME ARG...     curl with it, on a path: kube_curl agent /api/v1/namespaces [curl's options]; NAME "-" has none
#   kube_user NAME GROUP...   a client certificate for one more user
#   kube_kubeconfig NAME FILE a kubeconfig, which holds the certificate and the key of NAME
#
# NAMEs: admin (system:masters, which passes every authorizer), keeper (the break-glass group, bound to cluster-admin), agent (group agents,
# bound to cluster-admin), reader (group readers, bound to nothing), revoker (group seb-revokers, bound to nothing).
#
# Variables: KUBE (the folder), KUBE_SERVER (https://localhost:PORT), KUBE_PORT, KUBE_CA (file), KUBE_AUDIT (the API server's audit log, level
# Metadata), KUBE_WWW (a folder that is served), KUBE_ISSUER (where: https://localhost:PORT, same CA), KUBE_BREAK_GLASS (the group's name).
# KUBE_CONTROLLERS=none starts no kube-controller-manager. KUBE_API_GODEBUG is the API server's GODEBUG. KUBE_GO is the one go to build with, SEB_KUBERNETES_CACHE where to.
#
# What is started dies with the shell that started it, even where that is killed; so start it from the test's own shell, not from a subshell, and
# end with: trap kube_stop EXIT; trap 'exit 130' INT TERM

kube_version=1.36.3
kube_go_least=1.26
kube_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
type -t wait_for >/dev/null || . "$kube_lib/hw.sh"
type -t fence_port >/dev/null || . "$kube_lib/fence.sh"
: "${KUBE_BREAK_GLASS:=fence-keepers}"

kube_fail() { echo "kube: $*" >&2; return 1; }

# ---- build

# Which build a folder of the cache holds: what is named and pinned in tests/kube/build, and how it was built.
kube_words=(-trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$kube_version
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36")
kube_programs=(kube-apiserver kube-controller-manager kubectl kubeadm)
kube_cache() { echo "${SEB_KUBERNETES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seb}/kubernetes-$kube_version"; }
kube_key() { { (cd "$kube_lib/../kube/build" && cat go.mod go.sum tools.go) && echo "${kube_words[@]}"; } | sha256sum | head -c 12; }

kube_go_suffices() {
    local version
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) && version=${version#go} || return 1
    [ "$(printf '%s\n' $kube_go_least "$version" | sort -V | head -n 1)" = $kube_go_least ]
}
kube_go() { # prints the Go to build with
    local go
    for go in ${KUBE_GO:-"$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go/bin/go /usr/lib/go-1.*/bin/go}; do
        if [ -x "$go" ] && kube_go_suffices "$go"; then
            echo "$go"
            return 0
        fi
    done
    kube_fail "Kubernetes v$kube_version is built with Go $kube_go_least or newer, and there is none in PATH or /usr/local/go (Debian 12's own is 1.19).
Unpack a release of the Go project as /usr/local/go, or install golang-go from your distribution's backports where that is new enough, and run this again."
}

kube_is_built() {
    local program
    for program in "${kube_programs[@]}"; do [ -x "$KUBE_BIN/$program" ] || return 1; done
}

# The lock is a descriptor of this shell: it goes when the shell does, and so does what builds. What takes long runs in the background, so that
# the shell still hears signals.
kube_make() { # kube_make DIR LOCK-DESCRIPTOR: the programs into it
    local go pid close=$2
    go=$(kube_go) || return 1
    echo "building Kubernetes v$kube_version, which takes some minutes the first time" >&2
    (
        exec {close}>&-
        cd "$kube_lib/../kube/build" || exit 1
        export GOTOOLCHAIN=local GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false' CGO_ENABLED=0
        exec setpriv --pdeathsig TERM "$go" build "${kube_words[@]}" -o "$1/" "${kube_programs[@]/#/k8s.io/kubernetes/cmd/}"
    ) >"$1.log" 2>&1 &
    pid=$!
    wait $pid || { tail -n 20 "$1.log" >&2; kube_fail "the build failed; if modules are missing, this machine has to reach a Go module proxy once"; }
}

# A folder of the cache is complete from when it has its name: it is built under another one, by whoever holds the lock. What somebody left
# who was killed is swept away by the next.
kube_make_locked() { # CACHE LOCK-DESCRIPTOR
    local new=$1/building.$$ waits
    flock "$2" &
    waits=$!
    wait $waits || return 1
    kube_is_built && return 0
    rm -rf "$1"/building.* && mkdir "$new" && kube_make "$new" "$2" || return 1
    rm -rf "$KUBE_BIN" "$new.log" && mv -T "$new" "$KUBE_BIN"
}
kube_build() {
    local cache lock code=0
    cache=$(kube_cache) && KUBE_BIN=$cache/$(kube_key)
    kube_is_built && return 0
    kube_go >/dev/null && mkdir -p "$cache" && exec {lock}>"$cache/lock" || return 1
    kube_make_locked "$cache" "$lock" || code=$?
    exec {lock}>&-
    [ $code = 0 ] && kube_is_built || kube_fail "nothing was built in $cache"
}

# ---- certificates

kube_key_new() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null && chmod 600 "$1.key"; }
kube_ca() { kube_key_new "$1" && openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 2 -addext keyUsage=critical,keyCertSign,digitalSignature -out "$1.crt"; }
kube_certificate() { # FILE SUBJECT [CA]
    kube_key_new "$1" && openssl req -new -key "$1.key" -subj "$2" -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out "$1.csr" &&
        openssl x509 -req -in "$1.csr" -CA "${3:-$KUBE/pki/ca}.crt" -CAkey "${3:-$KUBE/pki/ca}.key" -CAcreateserial -days 2 -copy_extensions copy \
            -out "$1.crt" 2>/dev/null && rm "$1.csr"
}
kube_user() {
    local subject='' group
    for group in "${@:2}"; do subject+=/O=$group; done
    kube_certificate "$KUBE/pki/$1" "$subject/CN=${KUBE_USER:-$1}"
}
kube_pki() {
    local pki=$KUBE/pki
    (
        umask 077
        mkdir -p "$pki" && kube_ca "$pki/ca" ca && kube_ca "$pki/front-ca" front-ca && kube_certificate "$pki/server" /CN=localhost &&
            kube_certificate "$pki/front" /CN=front-proxy "$pki/front-ca" && kube_key_new "$pki/accounts" &&
            openssl ec -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub" 2>/dev/null &&
            kube_user admin system:masters && kube_user keeper "$KUBE_BREAK_GLASS" && kube_user agent agents && kube_user reader readers &&
            kube_user revoker seb-revokers && KUBE_USER=system:kube-controller-manager kube_user controllers
    ) || kube_fail "openssl made no certificates in $pki"
}

kube_kubeconfig() { # NAME FILE
    local pki=$KUBE/pki
    (umask 077 && cat >"$2" <<Y
apiVersion: v1
kind: Config
current-context: $1
clusters:
- name: here
  cluster:
    server: $KUBE_SERVER
    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$pki/$1.crt")
    client-key-data: $(base64 -w0 "$pki/$1.key")
contexts:
- name: $1
  context: {cluster: here, user: $1, namespace: default}
Y
    )
}

# ---- a cluster's folder

kube_load() {
    local key value
    KUBE=$(cd "$1" && pwd) && [ -s "$KUBE/env" ] || kube_fail "no cluster was prepared in $1" || return 1
    while read -r key value; do declare -g "$key=$value"; done <"$KUBE/env"
    KUBE_SERVER=https://localhost:$KUBE_PORT KUBE_ISSUER=https://localhost:$KUBE_WWW_PORT
    KUBE_CA=$KUBE/pki/ca.crt KUBE_AUDIT=$KUBE/audit.log KUBE_WWW=$KUBE/www
}

kube_prepare() {
    local name port
    [ -n "${KUBE_BIN:-}" ] || kube_build || return 1
    mkdir -p "$1" && KUBE=$(cd "$1" && pwd) || return 1
    if [ ! -s "$KUBE/env" ]; then
        mkdir -p "$KUBE/www" && kube_pki || return 1
        for name in KUBE_PORT KUBE_WWW_PORT KUBE_ETCD_PORT KUBE_PEER_PORT; do
            port=$(fence_port) || return 1
            echo "$name $port"
        done >"$KUBE/env.new" && mv "$KUBE/env.new" "$KUBE/env"
    fi
    kube_load "$KUBE"
}

# kube_spawn NAME COMMAND...: in the background; its pid is in NAME.pid, what it says in NAME.log
kube_spawn() {
    setpriv --pdeathsig KILL "${@:2}" >>"$KUBE/$1.log" 2>&1 </dev/null &
    echo $! >"$KUBE/$1.pid"
    disown $! # or bash would comment on its end
}
kube_runs() { [ -s "$KUBE/$1.pid" ] && ! hw_is_gone "$(<"$KUBE/$1.pid")"; }
kube_end() { # NAME
    [ -s "$KUBE/$1.pid" ] || return 0
    end_pid "$(<"$KUBE/$1.pid")" "${2:-TERM}"
    rm -f "$KUBE/$1.pid"
}
# kube_await SECONDS NAME COMMAND...: until it succeeds, or the program NAME has ended
kube_await() {
    local seconds=$1 name=$2
    shift 2
    kube_meanwhile() { ! kube_runs "$name" || "$@"; }
    wait_for "$seconds" kube_meanwhile "$@" && kube_runs "$name" || { tail -n 5 "$KUBE/$name.log" >&2; kube_fail "$name doesn't serve: $KUBE/$name.log"; }
}

# ---- its programs

kube_www_answers() { curl -sfo /dev/null --cacert "$KUBE_CA" "$KUBE_ISSUER/"; }
kube_www_start() {
    kube_spawn www "$kube_lib/kube-www" "$KUBE_WWW_PORT" "$KUBE_WWW" "$KUBE/pki/server.crt" "$KUBE/pki/server.key"
    kube_await 20 www kube_www_answers
}

kube_etcd_answers() { curl -sfo /dev/null "http://127.0.0.1:$KUBE_ETCD_PORT/health"; }
kube_etcd_start() {
    local here=http://127.0.0.1:$KUBE_ETCD_PORT peer=http://127.0.0.1:$KUBE_PEER_PORT
    kube_spawn etcd etcd --data-dir "$KUBE/etcd" --listen-client-urls "$here" --advertise-client-urls "$here" --listen-peer-urls "$peer" \
        --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer"
    kube_await 60 etcd kube_etcd_answers
}

kube_curl() { # NAME PATH [OPTION...]
    local who=()
    [ "$1" = - ] || who=(--cert "$KUBE/pki/$1.crt" --key "$KUBE/pki/$1.key")
    curl -s -m 60 --cacert "$KUBE_CA" "${who[@]}" "${@:3}" "$KUBE_SERVER$2"
}
kube_ready() { kube_curl admin /readyz -fo /dev/null; }
kube_api_start() { # [AUTHENTICATION AUTHORIZATION]
    local pki=$KUBE/pki files=(--authorization-mode=RBAC)
    [ $# = 0 ] || files=("--authentication-config=$1" "--authorization-config=$2")
    printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n' >"$KUBE/audit.yaml"
    GODEBUG=${KUBE_API_GODEBUG:-} kube_spawn api "$KUBE_BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$KUBE_ETCD_PORT" --bind-address=127.0.0.1 \
        --advertise-address=127.0.0.1 --secure-port="$KUBE_PORT" --endpoint-reconciler-type=none --enable-admission-plugins=NodeRestriction --service-cluster-ip-range=10.0.0.0/24 \
        --tls-cert-file="$pki/server.crt" --tls-private-key-file="$pki/server.key" --client-ca-file="$pki/ca.crt" \
        --requestheader-client-ca-file="$pki/front-ca.crt" --requestheader-allowed-names=front-proxy \
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
        --proxy-client-cert-file="$pki/front.crt" --proxy-client-key-file="$pki/front.key" --enable-bootstrap-token-auth \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/accounts.pub" \
        --service-account-signing-key-file="$pki/accounts.key" --audit-log-path="$KUBE_AUDIT" --audit-policy-file="$KUBE/audit.yaml" "${files[@]}"
    kube_await 120 api kube_ready
}
kube_api_stop() { kube_end api "$@"; }

# The controllers act as service accounts, each with rights and a name of its own, as in a cluster that somebody runs.
kube_controllers_work() { kube_curl admin /api/v1/namespaces/default/serviceaccounts/default -fo /dev/null; }
kube_controllers_start() {
    local pki=$KUBE/pki
    kube_kubeconfig controllers "$KUBE/controllers.kubeconfig" || return 1
    kube_spawn controllers "$KUBE_BIN/kube-controller-manager" --kubeconfig="$KUBE/controllers.kubeconfig" --secure-port=0 --leader-elect=false \
        --use-service-account-credentials --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$KUBE_CA" \
        --cluster-signing-cert-file="$KUBE_CA" --cluster-signing-key-file="$pki/ca.key" --horizontal-pod-autoscaler-sync-period=1s
    kube_await 120 controllers kube_controllers_work
}

# What the users here may: the fence has to hold against a cluster-admin.
kube_rights() {
    local name
    for name in agents "$KUBE_BREAK_GLASS"; do
        printf '{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "%s-may-everything"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "%s"}]}' "$name" "$name" |
            kube_curl admin '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings' -fo /dev/null -H 'Content-Type: application/json' --data-binary @- ||
            kube_fail "no rights for $name" || return 1
    done
}

kube_start() {
    kube_prepare "$1" || return 1
    shift
    [ -s "$KUBE/www.pid" ] || kube_www_start || return 1
    kube_etcd_start && kube_api_start "$@" || return 1
    [ -e "$KUBE/rights" ] || { kube_rights && : >"$KUBE/rights"; } || return 1
    [ "${KUBE_CONTROLLERS:-}" = none ] || kube_controllers_start
}

kube_stop() {
    local name
    [ -n "${KUBE:-}" ] && [ -s "$KUBE/env" ] || return 0
    kube_end controllers || true
    kube_end api || true # without its etcd it never ends
    kube_end etcd || true
    kube_end www || true
    for name in "$KUBE_PORT" "$KUBE_WWW_PORT" "$KUBE_ETCD_PORT" "$KUBE_PEER_PORT"; do rm -f "/tmp/.seb-port.$name"; done
}

kubectl_as() {
    "$KUBE_BIN/kubectl" --kubeconfig=/dev/null --cache-dir="$KUBE/kubectl" --server="$KUBE_SERVER" --certificate-authority="$KUBE_CA" \
        --client-certificate="$KUBE/pki/$1.crt" --client-key="$KUBE/pki/$1.key" "${@:2}"
}
