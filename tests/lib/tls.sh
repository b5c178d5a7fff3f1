#!/usr/bin/env bash
# Certificates for TLS: a CA, and certificates of it. A library, and a command for tests in C:
#   tests/lib/tls.sh DIR      makes all that tests/int/test_bus_tls uses
# Each NAME gives DIR/NAME.pem and DIR/NAME.key.

tls_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null && chmod 600 "$1"; }
tls_ca() { # tls_ca DIR NAME
    tls_key "$1/$2.key" && openssl req -x509 -new -key "$1/$2.key" -subj "/CN=$2" -days 30 -addext keyUsage=critical,keyCertSign -out "$1/$2.pem"
}
# tls_certificate DIR NAME USAGE SAN [CA [DAYS]]: USAGE is serverAuth, clientAuth, or none; SAN as openssl has it, or none
tls_certificate() {
    local dir=$1 name=$2 usage=$3 san=$4 ca=${5:-ca} days=${6:-30} extensions
    extensions=$(
        echo basicConstraints=critical,CA:FALSE
        echo keyUsage=critical,digitalSignature
        [ "$usage" = none ] || echo "extendedKeyUsage=$usage"
        [ "$san" = none ] || echo "subjectAltName=$san"
    )
    tls_key "$dir/$name.key" && openssl req -new -key "$dir/$name.key" -subj "/CN=$name" -out "$dir/$name.csr" &&
        openssl x509 -req -in "$dir/$name.csr" -CA "$dir/$ca.pem" -CAkey "$dir/$ca.key" -CAcreateserial -days "$days" \
            -extfile <(printf '%s\n' "$extensions") -out "$dir/$name.pem" 2>/dev/null && rm "$dir/$name.csr"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -e
    d=$1
    here=IP:127.0.0.1,DNS:localhost
    tls_ca "$d" ca
    tls_ca "$d" other-ca
    tls_certificate "$d" server serverAuth "$here"
    tls_certificate "$d" client clientAuth none
    tls_certificate "$d" stranger clientAuth none other-ca
    tls_certificate "$d" expired clientAuth none ca -1
    tls_certificate "$d" any-use none none
    tls_certificate "$d" server-of-another-ca serverAuth "$here" other-ca
    tls_certificate "$d" server-elsewhere serverAuth DNS:elsewhere.example
    tls_certificate "$d" server-expired serverAuth "$here" ca -1
    tls_certificate "$d" server-any-use none "$here"
    openssl ec -in "$d/client.key" -aes128 -passout pass:x -out "$d/locked.key" 2>/dev/null
    cat "$d/client.pem" "$d/ca.pem" > "$d/chain.pem"
    printf -- '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' > "$d/broken.pem"
fi
