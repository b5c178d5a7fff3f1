# A fenced document service for tests, demo and stories: Apache httpd with mod_dav, behind HAProxy with the configuration that
# `sebctl fence haproxy` prints. Source it (bash). Each fence lives in a folder of its own, so that many can run side by side:
#
#   fence_prepare DIR [TARGET]        ports, CA and certificates in DIR; the target's configuration in DIR/target.json
#   fence_service_start DIR           httpd, taking calls from the fence's client certificate alone
#   fence_write DIR CONFIG [ARG...]   sebctl fence haproxy --write, from the broker's configuration (ARG: --keys KID=PEM …)
#   fence_start DIR                   HAProxy; returns when it serves
#   fence_allow DIR KID...            allows mint keys at the running fence, on nobody's word but the test's
#   fence_reload DIR                  as an operator does after a change; returns when the next process serves
#   fence_stop DIR                    both, by pid; DIR stays
#   fence_document DIR NAME TEXT      lays a document into the service's folder, as its operator would
#   fence_etag DIR NAME               its ETag, asked with the fence's certificate
#
# After fence_prepare: DIR/env (fence_load DIR reads it into F) with prefix, host, back, port, back_port, target.
# The command words of sebctl fence and sab fence are FENCE_SEBCTL and FENCE_SAB.
#
# DIR and its parents must let httpd's user pass. What fails says why on stderr, and returns 1.

: "${FENCE_SEBCTL:=sebctl fence}" "${FENCE_SAB:=sab fence}"
declare -A F

fence_fail() { echo "fence: $*" >&2; return 1; }

# Waits for a command to succeed: seconds, command…
fence_until() {
    local end=$((SECONDS + $1)); shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        read -rt 0.02 <> <(:) || :
    done
}

# A port below the range that the kernel gives out by itself, reserved by a link until its process is gone.
fence_port() {
    local port link owner
    for _ in {1..200}; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)) link=/tmp/.seb-port.$port
        if owner=$(readlink "$link"); then
            kill -0 "$owner" 2>/dev/null && continue
            rm -f "$link"
        fi
        ln -s $$ "$link" 2>/dev/null || continue
        if (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; then continue; fi
        echo $port
        return 0
    done
    fence_fail "no free port"
}

fence_load() {
    local key value
    F=()
    while read -r key value; do F[$key]=$value; done <"$1/env"
}

# Name, subject; with the CA's signature. The service and the fence are both "localhost".
fence_certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "$2" \
        -addext subjectAltName=DNS:localhost -out "$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out "$1.crt" 2>/dev/null &&
        cat "$1.crt" "$1.key" >"$1.pem" && rm "$1.csr"
}

fence_prepare() {
    local dir target=${2:-docs} port back_port
    mkdir -p "$1" && dir=$(cd "$1" && pwd) && chmod 755 "$dir" || return 1
    port=$(fence_port) && back_port=$(fence_port) || return 1
    mkdir -p "$dir"/{pki,dav,lock,fence} || return 1
    (
        umask 077 && cd "$dir/pki" &&
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -subj /CN=ca -days 2 -out ca.crt 2>/dev/null &&
            fence_certificate service /CN=localhost && fence_certificate front /CN=localhost &&
            fence_certificate fence /CN=fence && fence_certificate agent /CN=agent
    ) || fence_fail "openssl made no certificates in $dir/pki" || return 1
    chmod 755 "$dir/pki" && chmod 644 "$dir"/pki/*.crt || return 1
    if [ "$(id -u)" = 0 ]; then chown www-data "$dir/dav" "$dir/lock" || return 1; fi
    cat >"$dir/env" <<E
target $target
port $port
back_port $back_port
host localhost:$port
prefix https://localhost:$port/
back https://localhost:$back_port/
E
    cat >"$dir/target.json" <<E
{"$target": {"kind": "http", "prefix": "https://localhost:$port/", "audience": "$target", "ca": "$dir/pki/ca.crt",
  "timeout_ms": 10000, "settle_ms": ${FENCE_SETTLE_MS:-2000}, "answer_bytes": 1048576,
  "fence": {"listen": "localhost:$port", "backend": "localhost:$back_port", "certificate": "$dir/pki/front.pem",
    "backend_ca": "$dir/pki/ca.crt", "backend_certificate": "$dir/pki/fence.pem", "directory": "$dir/fence",
    "runtime_socket": "$dir/fence/haproxy.sock"}}}
E
}

# The service listens wherever "localhost" may lead: HAProxy takes the first address that the name has when it starts.
fence_service_conf() {
    local dir=$1 m=/usr/lib/apache2/modules
    cat <<E
ServerRoot $dir
DefaultRuntimeDir $dir
PidFile $dir/httpd.pid
ErrorLog $dir/httpd.log
ServerName localhost
Listen 127.0.0.1:${F[back_port]}
$([ ! -e /proc/net/if_inet6 ] || ! grep -q '^0\{31\}1 ' /proc/net/if_inet6 || printf 'Listen [::1]:%s' "${F[back_port]}")
LoadModule mpm_event_module $m/mod_mpm_event.so
LoadModule authz_core_module $m/mod_authz_core.so
LoadModule dav_module $m/mod_dav.so
LoadModule dav_fs_module $m/mod_dav_fs.so
LoadModule ssl_module $m/mod_ssl.so
LoadModule socache_shmcb_module $m/mod_socache_shmcb.so
# What of a request got through the fence.
CustomLog $dir/access.log "%m %U%q %>s range=%{Content-Range}i override=%{X-HTTP-Method-Override}i expect=%{Expect}i auth=%{Authorization}i type=%{Content-Type}i"
$([ "$(id -u)" != 0 ] || printf 'User www-data\nGroup www-data')
Mutex file:$dir/lock default
DavLockDB $dir/lock/db
DocumentRoot $dir/dav
# Longer than HAProxy keeps an idle connection, so that it is never the service that closes one.
KeepAliveTimeout 60
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 4
ThreadsPerChild 64
MaxRequestWorkers 256
${FENCE_ETAG:+FileETag $FENCE_ETAG}
SSLEngine on
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLCertificateFile $dir/pki/service.crt
SSLCertificateKeyFile $dir/pki/service.key
SSLCACertificateFile $dir/pki/ca.crt
SSLVerifyClient require
<Directory $dir/dav>
  Dav On
  Require expr "%{SSL_CLIENT_S_DN_CN} == 'fence'"
</Directory>
E
}

fence_service_answers() { curl -so /dev/null --cacert "$1/pki/ca.crt" --cert "$1/pki/agent.crt" --key "$1/pki/agent.key" "${F[back]}"; }

fence_service_start() {
    local dir; dir=$(cd "$1" && pwd) && fence_load "$dir" || return 1
    fence_service_conf "$dir" >"$dir/httpd.conf"
    apache2 -d "$dir" -f "$dir/httpd.conf" 2>"$dir/httpd.out" || fence_fail "httpd doesn't start: $(cat "$dir/httpd.out")" || return 1
    fence_until 10 fence_service_answers "$dir" || fence_fail "httpd doesn't answer: $(tail -3 "$dir/httpd.log")"
}

fence_write() {
    local dir config=$2; dir=$(cd "$1" && pwd) && fence_load "$dir" || return 1
    shift 2
    $FENCE_SEBCTL haproxy --target "${F[target]}" --config "$config" --write "$dir/fence" "$@"
}

fence_answers() { [ "$(curl -so /dev/null -w '%{http_code}' --cacert "$1/pki/ca.crt" "${F[prefix]}")" = 401 ]; }
fence_pid() { echo 'show info' | socat -t2 - "UNIX-CONNECT:$1/fence/haproxy.sock" | sed -n 's/^Pid: //p'; }
fence_is_other() { local pid; pid=$(fence_pid "$1") && [ -n "$pid" ] && [ "$pid" != "$2" ]; }

# A credential of a second in which the fence's process wasn't up yet is refused ("restarted"): so serving begins with the next second.
fence_start() {
    local dir second; dir=$(cd "$1" && pwd) && fence_load "$dir" || return 1
    (umask 077 && haproxy -W -D -p "$dir/haproxy.pid" -f "$dir/fence/haproxy.cfg" >"$dir/haproxy.out" 2>&1) ||
        fence_fail "HAProxy doesn't start: $(cat "$dir/haproxy.out")" || return 1
    fence_until 10 fence_answers "$dir" || fence_fail "HAProxy doesn't answer: $(cat "$dir/haproxy.out")" || return 1
    second=$EPOCHSECONDS
    while [ "$EPOCHSECONDS" = "$second" ]; do read -rt 0.02 <> <(:) || :; done
}

fence_allow() {
    local dir kid; dir=$(cd "$1" && pwd) || return 1
    shift
    for kid in "$@"; do
        $FENCE_SAB allow --socket "$dir/fence/haproxy.sock" --map "$dir/fence/kids.map" "$kid" --unattested >"$dir/allow.out" 2>&1 ||
            fence_fail "no key is allowed: $(cat "$dir/allow.out")" || return 1
    done
}

# HAProxy hands its used ids to the next process only once it has been up for 5 seconds itself.
fence_hands_over() { echo 'show peers' | socat -t2 - "UNIX-CONNECT:$1/fence/haproxy.sock" | grep 'id=seb .*flags=0x[0-9a-f]*3 ' >/dev/null; }

fence_reload() {
    local dir before; dir=$(cd "$1" && pwd) && fence_load "$dir" || return 1
    before=$(fence_pid "$dir") && kill -USR2 "$(cat "$dir/haproxy.pid")" || return 1
    fence_until 10 fence_is_other "$dir" "$before" || fence_fail "HAProxy doesn't reload: $(cat "$dir/haproxy.out")"
}

# A zombie that nobody has reaped yet is gone too.
fence_gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$1/status"; }

fence_stop() {
    local dir file pid; dir=$(cd "$1" && pwd) || return 0
    for file in haproxy.pid httpd.pid; do
        [ -s "$dir/$file" ] || continue
        pid=$(head -1 "$dir/$file")
        kill "$pid" 2>/dev/null && { fence_until 5 fence_gone "$pid" || kill -9 "$pid" 2>/dev/null; }
        rm -f "$dir/$file"
    done
    fence_load "$dir" 2>/dev/null && rm -f "/tmp/.seb-port.${F[port]}" "/tmp/.seb-port.${F[back_port]}"
    return 0
}

# Some seconds old: httpd's ETag is weak, and matches nothing, in a file's first second.
fence_document() {
    printf %s "$3" >"$1/dav/$2" && touch -d '5 seconds ago' "$1/dav/$2" || return 1
    [ "$(id -u)" != 0 ] || chown www-data "$1/dav/$2"
}

fence_etag() {
    fence_load "$1"
    curl -sI --cacert "$1/pki/ca.crt" --cert "$1/pki/fence.crt" --key "$1/pki/fence.key" "${F[back]}$2" |
        sed -n 's/^ETag: *//Ip' | tr -d '\r'
}
