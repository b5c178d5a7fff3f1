#include "config.h"

#include "hsm/pkcs11.h"

#include <p11-kit/p11-kit.h>

#include <stdlib.h>
#include <sys/stat.h>

#include "hsm/p11_internal.h"

#define SLOTS_MAX 64
#define PIN_MAX 256

result p11_result(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
        return OK;
    case CKR_HOST_MEMORY:
        return fail_foreign(E_no_memory, FOREIGN_PKCS11, (uint32_t)rv);
    case CKR_GENERAL_ERROR:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
        return fail_foreign(E_hsm_unavailable, FOREIGN_PKCS11, (uint32_t)rv);
    default:
        return fail_foreign(E_hsm_refused, FOREIGN_PKCS11, (uint32_t)rv);
    }
}

bool p11_session_lost(result r)
{
    if (foreign_of(r) != FOREIGN_PKCS11)
        return false;
    switch (foreign_code(r)) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_DEVICE_ERROR: /* network HSMs say so when their connection broke */
    case CKR_DEVICE_REMOVED:
    case CKR_SLOT_ID_INVALID:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
        return true;
    default:
        return false;
    }
}

void p11_scope_close(struct p11_scope *s)
{
    if (s->session != CK_INVALID_HANDLE)
        (void)s->token->module->C_CloseSession(s->session);
    s->session = CK_INVALID_HANDLE;
}

/* systemd guards its credentials itself (an ACL may show there as group bits); a file of one's own must be for its owner alone. */
static result pin_from_file(const char *path, struct secret **ret)
{
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode) || s.st_mode & (S_IRWXG | S_IRWXO))
        return fail(E_pin_unreadable);
    return secret_from_file(path, ret);
}

static result pin_from_credential(struct span name, struct secret **ret)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir || name.n == 0 || span_find(name, 0, '/') != name.n)
        return fail(E_pin_unreadable);
    AUTO_BUF path = BUF(4096);
    TRY(buf_text(&path, dir));
    TRY(buf_u8(&path, '/'));
    TRY(buf_put(&path, name));
    TRY(buf_u8(&path, 0));
    return secret_from_file((const char *)path.p, ret);
}

result p11_pin_read(const char *from, struct secret **ret)
{
    const struct span prefix = span_text("credential:"), s = span_text(from);
    bool credential = span_equal(span_part(s, 0, prefix.n), prefix);
    result r = credential ? pin_from_credential(span_part(s, prefix.n, s.n), ret) : pin_from_file(from, ret);
    if (is_ok(r) && secret_size(*ret) > 0 && secret_size(*ret) <= PIN_MAX)
        return OK;
    if (is_ok(r)) {
        secret_free(*ret);
        *ret = NULL;
    }
    return code_of(r) == E_no_memory ? r : fail_foreign(E_pin_unreadable, foreign_of(r), foreign_code(r));
}

static result pin_copy(struct secret *pin, struct secret **ret)
{
    AUTO_SECRET *copy = NULL;
    if (secret_size(pin) < 1 || secret_size(pin) > PIN_MAX)
        return fail(E_pin_unreadable);
    TRY(secret_new(secret_size(pin), &copy));
    TRY(span_copy((struct span){ secret_bytes(pin), secret_size(pin) }, secret_bytes(copy), secret_size(copy)));
    *ret = copy;
    copy = NULL;
    return OK;
}

static struct span trimmed(const CK_UTF8CHAR *field, size_t n)
{
    return (struct span){ field, p11_kit_space_strlen(field, n) };
}

static result identity_read(const CK_TOKEN_INFO *info, struct p11_identity *ret)
{
    struct span manufacturer = trimmed(info->manufacturerID, sizeof info->manufacturerID);
    struct span model = trimmed(info->model, sizeof info->model);
    struct span serial = trimmed(info->serialNumber, sizeof info->serialNumber);
    TRY(span_copy(manufacturer, ret->manufacturer, manufacturer.n));
    TRY(span_copy(model, ret->model, model.n));
    return span_copy(serial, ret->serial, serial.n);
}

/* The slot whose token has the label. Two of one label are as good as none: nobody could say which was meant. */
static result slot_find(struct p11_token *t, CK_TOKEN_INFO *ret_info)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX, found = 0;
    TRY(p11_result(t->module->C_GetSlotList(CK_TRUE, slots, &n)));
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO info;
        if (t->module->C_GetTokenInfo(slots[i], &info) != CKR_OK)
            continue;
        if (!(info.flags & CKF_TOKEN_INITIALIZED) || !span_is(trimmed(info.label, sizeof info.label), t->label))
            continue;
        found++;
        t->slot = slots[i];
        *ret_info = info;
    }
    return found == 1 ? OK : fail(E_hsm_unavailable);
}

/* PKCS#11 C_Login. A PIN that was refused once is not offered again, and the token's last try is left to a person. */
static result login(struct p11_token *t, CK_SESSION_HANDLE s, CK_FLAGS flags)
{
    if (!(flags & CKF_LOGIN_REQUIRED))
        return OK;
    if (t->pin_refused)
        return fail_foreign(E_hsm_refused, FOREIGN_PKCS11, CKR_PIN_INCORRECT);
    if (flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY))
        return fail_foreign(E_hsm_refused, FOREIGN_PKCS11, CKR_PIN_LOCKED);
    CK_RV rv = t->module->C_Login(s, CKU_USER, secret_bytes(t->pin), secret_size(t->pin));
    if (rv == CKR_USER_ALREADY_LOGGED_IN)
        return OK;
    t->pin_refused = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID;
    return p11_result(rv);
}

/* Known from the first session on: another token that took over the label is not the one that policy names. */
static result same_token(struct p11_token *t, const CK_TOKEN_INFO *info)
{
    struct p11_identity now = { 0 };
    TRY(identity_read(info, &now));
    if (!t->known)
        t->identity = now;
    t->known = true;
    const struct span a = { (const uint8_t *)&now, sizeof now }, b = { (const uint8_t *)&t->identity, sizeof now };
    return span_equal(a, b) ? OK : fail(E_hsm_unavailable);
}

static result session_locked(struct p11_token *t, bool writable, CK_SESSION_HANDLE *ret)
{
    CK_TOKEN_INFO info;
    TRY(slot_find(t, &info));
    TRY(same_token(t, &info));
    AUTO_SESSION s = { .token = t, .session = CK_INVALID_HANDLE };
    CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
    TRY(p11_result(t->module->C_OpenSession(t->slot, flags, NULL, NULL, &s.session)));
    TRY(login(t, s.session, info.flags));
    *ret = s.session;
    s.session = CK_INVALID_HANDLE;
    return OK;
}

result p11_session(struct p11_token *t, bool writable, CK_SESSION_HANDLE *ret)
{
    if (pthread_mutex_lock(&t->lock) != 0)
        return fail(E_invariant);
    result r = session_locked(t, writable, ret);
    (void)pthread_mutex_unlock(&t->lock);
    return r;
}

/* p11-kit calls C_Initialize with CKF_OS_LOCKING_OK. */
static result module_start(struct p11_token *t)
{
    TRY(p11_result(p11_kit_module_initialize(t->module)));
    t->initialized = true;
    return p11_session(t, false, &t->session);
}

static void module_end(struct p11_token *t)
{
    if (t->session != CK_INVALID_HANDLE)
        (void)t->module->C_CloseSession(t->session);
    t->session = CK_INVALID_HANDLE;
    if (t->initialized)
        (void)p11_kit_module_finalize(t->module);
    t->initialized = false;
}

static result token_open(struct p11_token *t, const struct p11_args *args)
{
    TRY(span_dup_text(span_text(args->token), &t->label));
    TRY(args->pin ? pin_copy(args->pin, &t->pin) : p11_pin_read(args->pin_file, &t->pin));
    /* An absolute path alone: p11-kit would look for another one among the installed modules. */
    if (args->module[0] != '/')
        return fail(E_hsm_unavailable);
    t->module = p11_kit_module_load(args->module, P11_KIT_MODULE_CRITICAL);
    if (!t->module)
        return fail(E_hsm_unavailable);
    return module_start(t);
}

result p11_open(const struct p11_args *args, struct p11_token **ret)
{
    struct p11_token *t = calloc(1, sizeof *t);
    if (!t)
        return fail(E_no_memory);
    t->session = CK_INVALID_HANDLE;
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        return fail(E_no_memory);
    }
    result r = token_open(t, args);
    if (!is_ok(r)) {
        p11_close(t);
        return r;
    }
    *ret = t;
    return OK;
}

void p11_close(struct p11_token *t)
{
    if (!t)
        return;
    module_end(t);
    if (t->module)
        p11_kit_module_release(t->module);
    secret_free(t->pin);
    free(t->label);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

result p11_restart(struct p11_token *t)
{
    module_end(t);
    return module_start(t);
}

void p11_identity_of(const struct p11_token *t, struct p11_identity *ret)
{
    *ret = t->identity;
}
