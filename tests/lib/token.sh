# Credentials made in software, for tests of the fence: as somebody would who had stolen a mint key. Source it (bash).
#
#   token_key BASE                    a key pair: BASE.key, BASE.pub (PEM)
#   token_jwk BASE, token_kid BASE    its public JWK, its RFC 7638 thumbprint
#   token_config DIR                  a broker's configuration for the target of fence_prepare DIR
#   token_for HOST                    the authority that tokens are for; the key is $dir/mint, where KEY doesn't say another
#   token METHOD PATH BODY CTYPE [CLAIM=JSON]...   puts a token into t; CLAIM= alone leaves the claim out
#
# KEY, KID and HEADER stand for the key, its kid and the whole header; SIGN=none or hmac for the signature; BODY_FILE for the body.

token_b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
token_key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null && openssl ec -in "$1.key" -pubout -out "$1.pub" 2>/dev/null
}
token_jwk() {
    local p; p=$(openssl ec -pubin -in "$1.pub" -outform DER 2>/dev/null | tail -c 64 | xxd -p -c 64)
    printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$(xxd -r -p <<<"${p:0:64}" | token_b64)" "$(xxd -r -p <<<"${p:64}" | token_b64)"
}
token_kid() { token_jwk "$1" | openssl dgst -sha256 -binary | token_b64; }
token_config() {
    local jwk; jwk=$(token_jwk "$1/mint")
    printf '{"domain":"tests","instance":"one","mint_key":{"backend":"tpm"},"pinned":{"policy":%s,"revocation":%s},"targets":%s}\n' \
        "$jwk" "$jwk" "$(cat "$1/target.json")"
}
token_for() { TOKEN_HOST=$1; }

token_signature() { # signing input; key
    local parts
    case ${SIGN:-} in
    none) ;;
    hmac) printf %s "$1" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(xxd -p -c 9999 "$2.pub")" -binary | token_b64 ;;
    *) # RFC 7518 section 3.4: r and s, 32 bytes each
        mapfile -t parts < <(printf %s "$1" | openssl dgst -sha256 -sign "$2.key" | openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p')
        printf '%64s%64s' "${parts[0]}" "${parts[1]}" | tr ' ' 0 | xxd -r -p | token_b64 ;;
    esac
}

token() {
    local key=${KEY:-$dir/mint} now claim name sha body='' text
    local -A c
    now=$(date +%s)
    if [ -n "${BODY_FILE:-}" ]; then sha=$(sha256sum <"$BODY_FILE"); else sha=$(printf %s "$3" | sha256sum); fi
    c=([iss]='"https://tests/one"' [sub]='"seb:one:leaf"' [aud]='"docs"' [iat]=$now [exp]=$((now + 30)) [jti]="\"$(head -c 32 /dev/urandom | token_b64)\""
        [cid]='"c"' [dom]='"tests"' [ins]='"one"' [att]='"none"' [use]='"mutate"' [htm]="\"$1\"" [hth]="\"$TOKEN_HOST\"" [htu]="\"$2\"" [sha256]="\"${sha%% *}\"")
    [ -z "$4" ] || c[ctype]="\"$4\""
    shift 4
    for claim in "$@"; do name=${claim%%=*}; c[$name]=${claim#*=}; [ -n "${c[$name]}" ] || unset "c[$name]"; done
    for name in $(printf '%s\n' "${!c[@]}" | LC_ALL=C sort); do body+=",\"$name\":${c[$name]}"; done
    text=$(printf %s "${HEADER:-{\"alg\":\"ES256\",\"kid\":\"${KID:-$kid}\",\"typ\":\"JWT\"\}}" | token_b64).$(printf %s "{${body#,}}" | token_b64)
    t=$text.$(token_signature "$text" "$key")
}
