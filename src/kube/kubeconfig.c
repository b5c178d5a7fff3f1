#include "config.h"

#include "kube/kubeconfig.h"
#include "kube/yaml.h"

#include <libgen.h>

#define PEM_BYTES_MAX 65536 /* of one credential or bundle: as much as a secret holds */
#define PATH_BYTES_MAX 4096

/* While a file is read. */
struct reading {
    const char *path; /* of the kubeconfig: other files are named from its folder */
    struct kubeconfig *to;
    struct trouble *trouble;
};

static result bad(struct reading *r, const char *what, const char *about)
{
    return trouble_say(r->trouble, E_bad_kubeconfig, "%s: %s", about, what);
}

/* A member that we don't serve. The words say what it would have done. */
struct refused {
    const char *name, *why;
};
static const struct refused cluster_refused[] = {
    { "insecure-skip-tls-verify", "anybody could be the server" },
    { "tls-server-name", "the server's certificate must name the host that is asked" },
    { "proxy-url", "the server is asked directly, or not at all" },
    { NULL, NULL },
};
static const struct refused user_refused[] = {
    { "exec", "a credential plugin is a program that a configuration file starts" },
    { "auth-provider", "a credential plugin is a program that a configuration file starts" },
    { "username", "passwords aren't served" },
    { "password", "passwords aren't served" },
    { "as", "impersonation isn't served" },
    { "as-uid", "impersonation isn't served" },
    { "as-groups", "impersonation isn't served" },
    { "as-user-extra", "impersonation isn't served" },
    { NULL, NULL },
};
static const char *const cluster_names[] = { "server", "certificate-authority", "certificate-authority-data", "extensions",
    "disable-compression", NULL };
static const char *const user_names[] = { "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token",
    "tokenFile", "extensions", NULL };
static const char *const context_names[] = { "cluster", "user", "namespace", "extensions", NULL };

/* What is there but says nothing (false, null, "" or empty) is as if it weren't. */
static bool says_something(const json_t *v)
{
    return v && !json_is_false(v) && !json_is_null(v) && !(json_is_string(v) && json_string_length(v) == 0) &&
           !(json_is_array(v) && json_array_size(v) == 0) && !(json_is_object(v) && json_object_size(v) == 0);
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (span_is(span_text(name), *names))
            return true;
    return false;
}

static result members_judge(
    struct reading *r, const json_t *o, const struct refused *refused, const char *const *names, const char *what)
{
    const char *key;
    json_t *v;
    for (; refused && refused->name; refused++)
        if (says_something(json_object_get(o, refused->name)))
            return trouble_say(r->trouble, E_kubeconfig_refused, "%s: %s: %s", what, refused->name, refused->why);
    json_object_foreach ((json_t *)o, key, v)
        if (says_something(v) && !is_among(key, names))
            return trouble_say(r->trouble, E_kubeconfig_refused, "%s: %s: a member that isn't known here", what, key);
    return OK;
}

/* A text of at most max bytes, or NULL where nothing is said. */
static result text_at(struct reading *r, const json_t *o, const char *name, size_t max, const char **ret)
{
    *ret = NULL;
    if (!says_something(json_object_get(o, name)))
        return OK;
    return is_ok(json_text(o, name, max, ret)) ? OK : bad(r, "not a text, or too long a one", name);
}

/* The entry of that name in a list like {name, cluster: {…}}: its inner object. */
static result entry_find(
    struct reading *r, const json_t *root, const char *list, const char *inner, const char *name, const json_t **ret)
{
    const json_t *entries = json_object_get(root, list), *found = NULL;
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry) {
        const json_t *its = json_object_get(entry, "name");
        if (!json_is_string(its) || !span_is(span_text(json_string_value(its)), name))
            continue;
        if (found)
            return trouble_say(r->trouble, E_bad_kubeconfig, "%s: two of them are named %s", list, name);
        found = json_object_get(entry, inner);
        if (!json_is_object(found))
            return trouble_say(r->trouble, E_bad_kubeconfig, "%s: %s has no %s", list, name, inner);
    }
    if (!found)
        return trouble_say(r->trouble, E_bad_kubeconfig, "%s: none is named %s", list, name);
    *ret = found;
    return OK;
}

static result path_from(const char *base, const char *name, struct buf *out)
{
    AUTO_FREE char *copy = NULL;
    if (name[0] != '/') {
        TRY(span_dup_text(span_text(base), &copy));
        TRY(buf_printf(out, "%s/", dirname(copy)));
    }
    TRY(buf_text(out, name));
    return buf_u8(out, 0);
}

/* What NAME-data holds in base64, or the file that NAME says; nothing where neither does. kubectl prefers the data too. */
static result blob_read(struct reading *r, const json_t *o, const char *name, const char *data_name, struct buf *out)
{
    const char *data, *file;
    AUTO_BUF path = BUF(PATH_BYTES_MAX);
    TRY(text_at(r, o, data_name, YAML_BYTES_MAX, &data));
    TRY(text_at(r, o, name, PATH_BYTES_MAX, &file));
    if (data)
        return is_ok(b64_read(span_text(data), out)) ? OK : bad(r, "not base64, or too long", data_name);
    if (!file)
        return OK;
    TRY(path_from(r->path, file, &path));
    result done = file_read((const char *)path.p, out->max, out);
    if (!is_ok(done)) {
        result said = trouble_say(r->trouble, code_of(done), "%s: %s", name, (const char *)path.p);
        return foreign_of(done) == FOREIGN_NONE ? said : done;
    }
    return OK;
}

/* Reads into a plain buffer, which is wiped, since that is what base64 and files are read into. */
static result secret_take(struct buf *from, struct secret **ret)
{
    AUTO_SECRET *s = NULL;
    struct span text = buf_span(from);
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    if (text.n == 0 || span_find(text, 0, 0) < text.n)
        return fail(E_bad_value);
    TRY(secret_new(text.n, &s));
    TRY(span_copy(text, secret_bytes(s), text.n));
    *ret = s;
    s = NULL;
    return OK;
}

static void buf_wipe_free(struct buf *b)
{
    wipe(b->p, b->cap);
    buf_free(b);
}
#define WIPED_BUF __attribute__((cleanup(buf_wipe_free))) struct buf

static result key_read(struct reading *r, const json_t *user)
{
    WIPED_BUF pem = BUF(PEM_BYTES_MAX);
    TRY(blob_read(r, user, "client-key", "client-key-data", &pem));
    if (!pem.n)
        return r->to->certificate.n ? bad(r, "missing, though there is a client-certificate", "client-key") : OK;
    if (!r->to->certificate.n)
        return bad(r, "missing, though there is a client-key", "client-certificate");
    return is_ok(secret_take(&pem, &r->to->key)) ? OK : bad(r, "not a PEM text", "client-key");
}

/* RFC 6750 section 2.1: what can stand in the header. */
static bool is_token(struct span s)
{
    static const char also[] = "-._~+/=";
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) &&
            span_find(span_text(also), 0, c) == sizeof also - 1)
            return false;
    }
    return s.n > 0;
}

/* As kubectl has it: a file's goes before one that is written out. */
static result token_read(struct reading *r, const json_t *user)
{
    const char *token, *file;
    WIPED_BUF text = BUF(PEM_BYTES_MAX);
    TRY(text_at(r, user, "token", PEM_BYTES_MAX, &token));
    TRY(text_at(r, user, "tokenFile", PATH_BYTES_MAX, &file));
    if (!token && !file)
        return OK;
    if (file) {
        AUTO_BUF path = BUF(PATH_BYTES_MAX);
        TRY(path_from(r->path, file, &path));
        TRY(file_read((const char *)path.p, PEM_BYTES_MAX, &text));
    } else {
        TRY(buf_text(&text, token));
    }
    TRY(is_ok(secret_take(&text, &r->to->token)) ? OK : bad(r, "nothing is in it", "token"));
    return is_token((struct span){ secret_bytes(r->to->token), secret_size(r->to->token) })
               ? OK
               : bad(r, "characters that no bearer token has (RFC 6750)", "token");
}

static result user_read(struct reading *r, const json_t *user)
{
    AUTO_BUF pem = BUF(PEM_BYTES_MAX);
    TRY(members_judge(r, user, user_refused, user_names, "user"));
    TRY(blob_read(r, user, "client-certificate", "client-certificate-data", &pem));
    if (pem.n)
        TRY(is_ok(pem_certificates(buf_span(&pem), &r->to->certificate)) ? OK
                                                                         : bad(r, "no certificate is in it", "client-certificate"));
    TRY(key_read(r, user));
    return token_read(r, user);
}

/* RFC 3986 in its plain characters; no user information, query, fragment or escape. */
static bool is_server(struct span s)
{
    static const char scheme[] = "https://", also[] = ".-_:[]/~";
    const size_t head = sizeof scheme - 1;
    if (s.n <= head || !span_is(span_part(s, 0, head), scheme) || s.p[head] == '/' || s.p[head] == ':')
        return false;
    for (size_t i = head; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) &&
            span_find(span_text(also), 0, c) == sizeof also - 1)
            return false;
        if (c == '/' && i + 1 < s.n && (s.p[i + 1] == '/' || s.p[i + 1] == '.'))
            return false;
    }
    return true;
}

static result cluster_read(struct reading *r, const json_t *cluster)
{
    const char *server;
    AUTO_BUF pem = BUF(PEM_BYTES_MAX);
    TRY(members_judge(r, cluster, cluster_refused, cluster_names, "cluster"));
    TRY(text_at(r, cluster, "server", KUBE_SERVER_MAX, &server));
    if (!server || !is_server(span_text(server)))
        return bad(r, "https://host[:port][/path] is wanted", "server");
    struct span s = span_text(server);
    while (s.p[s.n - 1] == '/')
        s.n--;
    TRY(span_copy_text(s, r->to->server, sizeof r->to->server));
    TRY(blob_read(r, cluster, "certificate-authority", "certificate-authority-data", &pem));
    if (!pem.n)
        return bad(r, "missing: the machine's own authorities vouch for too many", "certificate-authority");
    return is_ok(pem_certificates(buf_span(&pem), &r->to->ca)) ? OK : bad(r, "no certificate is in it", "certificate-authority");
}

static result root_read(struct reading *r, const json_t *root, const char *wanted)
{
    const char *name = wanted, *cluster_name, *user_name, *space;
    const json_t *context, *cluster, *user;
    if (!json_is_object(root))
        return bad(r, "not a kubeconfig", "the file");
    if (!name)
        TRY(text_at(r, root, "current-context", sizeof r->to->context - 1, &name));
    if (!name)
        return bad(r, "none is chosen", "current-context");
    TRY(entry_find(r, root, "contexts", "context", name, &context));
    TRY(members_judge(r, context, NULL, context_names, "context"));
    TRY(text_at(r, context, "cluster", 253, &cluster_name));
    TRY(text_at(r, context, "user", 253, &user_name));
    TRY(text_at(r, context, "namespace", sizeof r->to->space - 1, &space));
    if (!cluster_name || !user_name)
        return bad(r, "names no cluster, or no user", "context");
    TRY(entry_find(r, root, "clusters", "cluster", cluster_name, &cluster));
    TRY(entry_find(r, root, "users", "user", user_name, &user));
    TRY(span_copy_text(span_text(name), r->to->context, sizeof r->to->context));
    TRY(span_copy_text(span_text(space), r->to->space, sizeof r->to->space));
    TRY(cluster_read(r, cluster));
    return user_read(r, user);
}

/* Whoever's credentials are in the tree, they don't stay in freed memory. */
static void tree_wipe(json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(v))
        wipe((char *)json_string_value(v), json_string_length(v));
    json_array_foreach (v, i, member) {
        tree_wipe(member);
    }
    json_object_foreach (v, key, member) {
        tree_wipe(member);
    }
}

result kubeconfig_read(const char *path, const char *context, struct kubeconfig *ret, struct trouble *t)
{
    AUTO_KUBECONFIG c = { .ca = BUF(PEM_BYTES_MAX), .certificate = BUF(PEM_BYTES_MAX) };
    struct reading r = { .path = path, .to = &c, .trouble = t };
    WIPED_BUF text = BUF(YAML_BYTES_MAX);
    AUTO_JSON *root = NULL;
    t->text[0] = 0;
    TRY(file_read(path, YAML_BYTES_MAX, &text));
    TRY(yaml_read(buf_span(&text), &root, t));
    result done = root_read(&r, root, context);
    tree_wipe(root);
    TRY(done);
    *ret = c;
    c = (struct kubeconfig){ .key = NULL };
    return OK;
}

void kubeconfig_free(struct kubeconfig *c)
{
    secret_free(c->key);
    secret_free(c->token);
    buf_free(&c->ca);
    buf_free(&c->certificate);
    *c = (struct kubeconfig){ .key = NULL };
}

static size_t text_find(struct span s, size_t from, const char *what)
{
    struct span w = span_text(what);
    for (size_t at = span_find(s, from, w.p[0]); at < s.n; at = span_find(s, at + 1, w.p[0]))
        if (span_equal(span_part(s, at, w.n), w))
            return at;
    return s.n;
}

result pem_certificates(struct span pem, struct buf *out)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    unsigned n = 0;
    for (size_t at = text_find(pem, 0, begin); at < pem.n; n++) {
        size_t to = text_find(pem, at, end);
        if (to == pem.n)
            return fail(E_bad_kubeconfig);
        to += sizeof end - 1;
        TRY(buf_put(out, span_part(pem, at, to - at)));
        TRY(buf_text(out, "\n"));
        at = text_find(pem, to, begin);
    }
    return n ? OK : fail(E_bad_kubeconfig);
}
