#include "config.h"

#include "bus/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/secret.h"

#define PEM_MAX 65536
#define DEPTH_MAX 4 /* certificates between the peer's and the CA's */

struct tls_end {
    SSL_CTX *context;
    BIO_METHOD *method;
    enum tls_side side;
};
struct tls_line {
    SSL *ssl;
    int fd;
    bool done, over;
};

/* ---- the socket as a BIO: OpenSSL's own would raise SIGPIPE ---- */

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int socket_read(BIO *b, char *to, size_t n, size_t *ret_n)
{
    const struct tls_line *l = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t got = recv(l->fd, to, n, 0);
    if (got < 0 && again())
        BIO_set_retry_read(b);
    if (got <= 0)
        return 0;
    *ret_n = (size_t)got;
    return 1;
}

static int socket_write(BIO *b, const char *from, size_t n, size_t *ret_n)
{
    const struct tls_line *l = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t sent = send(l->fd, from, n, MSG_NOSIGNAL);
    if (sent < 0 && again())
        BIO_set_retry_write(b);
    if (sent <= 0)
        return 0;
    *ret_n = (size_t)sent;
    return 1;
}

static long socket_ctrl(BIO *b, int what, long n, void *p)
{
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "seb socket");
    if (m && BIO_meth_set_read_ex(m, socket_read) && BIO_meth_set_write_ex(m, socket_write) && BIO_meth_set_ctrl(m, socket_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- an end ---- */

/* RFC 5280 section 4.2.1.12: OpenSSL takes a certificate without extended key usage for every purpose. Here it must say its own:
 * one CA may sign both ends, and neither end's certificate may serve for the other. */
static bool is_for(X509 *certificate, uint32_t usage)
{
    return X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE && X509_get_extended_key_usage(certificate) & usage;
}

static int verify(int so_far, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    if (!so_far || X509_STORE_CTX_get_error_depth(store) != 0)
        return so_far;
    if (ssl && is_for(X509_STORE_CTX_get_current_cert(store), SSL_is_server(ssl) ? XKU_SSL_CLIENT : XKU_SSL_SERVER))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
    return 0;
}

static bool set_context(SSL_CTX *c)
{
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
    SSL_CTX_set_verify_depth(c, DEPTH_MAX);
    SSL_CTX_set_security_level(c, 2);
    SSL_CTX_set_max_cert_list(c, 32768);
    SSL_CTX_set_read_ahead(c, 0);
    return SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) && SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) &&
           SSL_CTX_set_num_tickets(c, 0) && SSL_CTX_set_max_early_data(c, 0) && SSL_CTX_set_recv_max_early_data(c, 0) &&
           SSL_CTX_set1_groups_list(c, "P-256:X25519:P-384") &&
           SSL_CTX_set_ciphersuites(c, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
}

/* PEM_read_bio_X509(3) says "no start line" at the end, and something else at what it can't read. */
static bool at_end(void)
{
    bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return end;
}

static bool use_ca(struct tls_end *e, BIO *b)
{
    X509 *ca = NULL;
    bool good = true, any = false;
    while (good && (ca = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        good = X509_check_ca(ca) == 1 && X509_STORE_add_cert(SSL_CTX_get_cert_store(e->context), ca);
        any = true;
        X509_free(ca);
    }
    return good && any && at_end();
}

static bool use_certificates(struct tls_end *e, BIO *b)
{
    X509 *own = PEM_read_bio_X509(b, NULL, NULL, NULL), *more = NULL;
    bool good =
        own && is_for(own, e->side == TLS_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT) && SSL_CTX_use_certificate(e->context, own);
    X509_free(own);
    while (good && (more = PEM_read_bio_X509(b, NULL, NULL, NULL)))
        if (!SSL_CTX_add0_chain_cert(e->context, more)) {
            X509_free(more);
            good = false;
        }
    return good && at_end();
}

/* PEM_read_bio_PrivateKey(3): without a callback it would ask the terminal for a passphrase. */
static int no_passphrase(char *to, int room, int writing, void *closure)
{
    return -1;
}

static bool use_key(struct tls_end *e, BIO *b)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);
    bool good = key && SSL_CTX_use_PrivateKey(e->context, key) && SSL_CTX_check_private_key(e->context);
    EVP_PKEY_free(key);
    return good;
}

static result with_file(struct tls_end *e, const char *path, bool (*use)(struct tls_end *e, BIO *b))
{
    AUTO_SECRET *text = NULL;
    result r = path ? secret_from_file(path, &text) : fail(E_bad_value);
    if (!is_ok(r))
        return code_of(r) == E_no_memory ? r : fail_foreign(E_bad_tls_file, foreign_of(r), foreign_code(r));
    if (secret_size(text) > PEM_MAX)
        return fail(E_bad_tls_file);
    BIO *b = BIO_new_mem_buf(secret_bytes(text), (int)secret_size(text));
    bool good = b && use(e, b);
    BIO_free(b);
    ERR_clear_error();
    return good ? OK : fail(E_bad_tls_file);
}

static void end_free_pointer(struct tls_end **e)
{
    tls_end_free(*e);
}

result tls_end_new(const struct bus_tls *t, enum tls_side side, struct tls_end **ret)
{
    __attribute__((cleanup(end_free_pointer))) struct tls_end *e = calloc(1, sizeof *e);
    if (!e)
        return fail(E_no_memory);
    e->side = side;
    e->context = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
    e->method = socket_method();
    if (!e->context || !e->method || !set_context(e->context))
        return fail(E_crypto);
    TRY(with_file(e, t->ca, use_ca));
    TRY(with_file(e, t->certificate, use_certificates));
    TRY(with_file(e, t->key, use_key));
    *ret = e;
    e = NULL;
    return OK;
}

void tls_end_free(struct tls_end *e)
{
    if (!e)
        return;
    SSL_CTX_free(e->context);
    BIO_meth_free(e->method);
    free(e);
}

/* ---- a connection ---- */

/* RFC 9525: a name is looked for among the certificate's alternative names, never in its subject. */
static bool want_peer(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_ip_asc(p, name))
        return true;
    ERR_clear_error();
    return span_text(name).n && X509_VERIFY_PARAM_set1_host(p, name, span_text(name).n) && SSL_set_tlsext_host_name(ssl, name);
}

static bool prepare(struct tls_line *l, const struct tls_end *e, const char *peer_name)
{
    BIO *b = BIO_new(e->method);
    l->ssl = SSL_new(e->context);
    if (!b || !l->ssl) {
        BIO_free(b);
        return false;
    }
    BIO_set_data(b, l);
    BIO_set_init(b, 1);
    SSL_set_bio(l->ssl, b, b);
    if (e->side == TLS_SERVER) {
        SSL_set_accept_state(l->ssl);
        return true;
    }
    SSL_set_connect_state(l->ssl);
    return peer_name && want_peer(l->ssl, peer_name);
}

result tls_line_new(const struct tls_end *e, int fd, const char *peer_name, struct tls_line **ret)
{
    struct tls_line *l = calloc(1, sizeof *l);
    if (!l)
        return fail(E_no_memory);
    l->fd = fd;
    if (!prepare(l, e, peer_name)) {
        ERR_clear_error();
        tls_line_free(l);
        return fail(E_crypto);
    }
    *ret = l;
    return OK;
}

void tls_line_free(struct tls_line *l)
{
    if (!l)
        return;
    SSL_free(l->ssl);
    free(l);
}

static enum tls_step over(struct tls_line *l)
{
    l->over = true;
    ERR_clear_error();
    return TLS_OVER;
}

static enum tls_step step_of(struct tls_line *l, int n)
{
    int e = SSL_get_error(l->ssl, n);
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        return over(l);
    ERR_clear_error();
    return e == SSL_ERROR_WANT_READ ? TLS_WANT_READ : TLS_WANT_WRITE;
}

/* The verification is OpenSSL's; another version or an unverified peer can't come out of it, and wouldn't be used. */
static bool is_as_wanted(SSL *ssl)
{
    return SSL_version(ssl) == TLS1_3_VERSION && SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_peer_certificate(ssl) &&
           !SSL_session_reused(ssl);
}

enum tls_step tls_handshake(struct tls_line *l)
{
    if (l->over || l->done)
        return l->over ? TLS_OVER : TLS_DONE;
    ERR_clear_error();
    int n = SSL_do_handshake(l->ssl);
    if (n != 1)
        return step_of(l, n);
    if (!is_as_wanted(l->ssl))
        return over(l);
    l->done = true;
    return TLS_DONE;
}

enum tls_step tls_read(struct tls_line *l, uint8_t *to, size_t room, size_t *ret_n)
{
    enum tls_step s = tls_handshake(l);
    if (s != TLS_DONE)
        return s;
    ERR_clear_error();
    int n = SSL_read_ex(l->ssl, to, room, ret_n);
    return n == 1 ? TLS_DONE : step_of(l, n);
}

enum tls_step tls_write(struct tls_line *l, struct span bytes, size_t *ret_n)
{
    enum tls_step s = tls_handshake(l);
    if (s != TLS_DONE)
        return s;
    ERR_clear_error();
    int n = SSL_write_ex(l->ssl, bytes.p, bytes.n, ret_n);
    return n == 1 ? TLS_DONE : step_of(l, n);
}

void tls_say_goodbye(struct tls_line *l)
{
    if (l->done && !l->over)
        SSL_shutdown(l->ssl);
    over(l);
}

result tls_peer(const struct tls_line *l, struct digest *ret)
{
    unsigned n = 0;
    struct digest d;
    X509 *peer = l->done ? SSL_get0_peer_certificate(l->ssl) : NULL;
    if (!peer || !X509_digest(peer, EVP_sha256(), d.b, &n) || n != sizeof d.b)
        return fail(E_crypto);
    *ret = d;
    return OK;
}
