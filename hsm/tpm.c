#include "config.h"

#include "hsm/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hsm/ossl_shared_ctx.h"
#include "hsm/tpm_internal.h"

/* TPM 2.0 Part 2, section 7.2. tss2_tpm2_types.h shifts an int into its sign bit for these two. */
#define TRANSIENT_FIRST UINT32_C(0x80000000)
#define PERSISTENT_FIRST UINT32_C(0x81000000)

void tpm_be_quiet(void)
{
    (void)setenv("TSS2_LOG", "all+NONE", 0);
}

result tpm_result(TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS)
        return OK;
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    bool from_tpm = layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
    TSS2_RC code = rc & ~TSS2_RC_LAYER_MASK;
    bool out_of_order = code == TPM2_RC_FAILURE || code == TPM2_RC_INITIALIZE;
    return fail_foreign(from_tpm && !out_of_order ? E_tpm_refused : E_tpm_unavailable, FOREIGN_TSS2, rc);
}

TPM2_RC tpm_base_code(TSS2_RC rc)
{
    TSS2_RC code = rc & ~TSS2_RC_LAYER_MASK;
    return code & TPM2_RC_FMT1 ? code & (TPM2_RC_FMT1 | 0x3f) : code;
}

void tpm_esys_free(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    Esys_Free(*p);
    *p = NULL;
}

void tpm_transient_flush(struct tpm_transient *o)
{
    if (o->tr == ESYS_TR_NONE)
        return;
    /* Where the chip has gone, so has the object; ESYS's own record of it goes either way. */
    if (Esys_FlushContext(o->tpm->esys, o->tr) != TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(o->tpm->esys, &o->tr);
    o->tr = ESYS_TR_NONE;
}

result tpm_handles_of(struct tpm *t, uint32_t first, uint32_t max, TPML_HANDLE *ret)
{
    AUTO_ESYS TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TRY(tpm_result(
        Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, first, max, &more, &data)));
    if (data->capability != TPM2_CAP_HANDLES || data->data.handles.count > TPM2_MAX_CAP_HANDLES)
        return fail(E_tpm_unavailable);
    *ret = data->data.handles;
    return OK;
}

result tpm_persistent(struct tpm *t, uint32_t handle, ESYS_TR *ret)
{
    TPML_HANDLE there;
    TRY(tpm_handles_of(t, handle, 1, &there));
    if (handle < PERSISTENT_FIRST || there.count != 1 || there.handle[0] != handle)
        return fail(E_key_missing);
    return tpm_result(Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret));
}

/* A command that was killed between load and flush leaves its objects behind, and three fill the chip. */
static result flush_type(struct tpm *t, uint32_t first)
{
    TPML_HANDLE left;
    TRY(tpm_handles_of(t, first, TPM2_MAX_CAP_HANDLES, &left));
    for (uint32_t i = 0; i < left.count; i++) {
        ESYS_TR tr;
        TRY(tpm_result(Esys_TR_FromTPMPublic(t->esys, left.handle[i], ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr)));
        TRY(tpm_result(Esys_FlushContext(t->esys, tr)));
    }
    return OK;
}

static result flush_leftovers(struct tpm *t)
{
    TRY(flush_type(t, TRANSIENT_FIRST));
    TRY(flush_type(t, TPM2_LOADED_SESSION_FIRST));
    return flush_type(t, TPM2_ACTIVE_SESSION_FIRST);
}

static result open_over(struct tpm *t, enum tpm_transport transport)
{
    TRY(ossl_shared_ctx_ready());
    t->managed = transport == TPM_DEVICE;
    TRY(tpm_tcti_new(t->fd, transport, &t->tcti));
    TRY(tpm_result(Esys_Initialize(&t->esys, t->tcti, NULL)));
    /* A character device is a resource manager's: what others have loaded is theirs, and a saved session that is listed there
     * could be flushed by anybody. */
    return t->managed ? OK : flush_leftovers(t);
}

result tpm_open(int fd, enum tpm_transport transport, struct tpm **ret)
{
    struct tpm *t = calloc(1, sizeof *t);
    if (!t) {
        close(fd);
        return fail(E_no_memory);
    }
    t->fd = fd;
    t->kept = ESYS_TR_NONE;
    result r = open_over(t, transport);
    if (!is_ok(r)) {
        tpm_close(t);
        return r;
    }
    *ret = t;
    return OK;
}

void tpm_close(struct tpm *t)
{
    if (!t)
        return;
    Esys_Finalize(&t->esys);
    tpm_tcti_free(t->tcti);
    close(t->fd);
    free(t);
}

static result unavailable(void)
{
    return fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, (uint32_t)errno);
}

static result connect_socket(const char *path, int *ret_fd)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct span name = span_text(path);
    if (name.n >= sizeof a.sun_path)
        return fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, ENAMETOOLONG);
    TRY(span_copy(name, a.sun_path, name.n));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return unavailable();
    if (connect(fd, (const struct sockaddr *)&a, sizeof a) != 0) {
        result r = unavailable();
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return OK;
}

result tpm_connect(const char *path, int *ret_fd, enum tpm_transport *ret_transport)
{
    struct stat s;
    if (path[0] != '/')
        return fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, EINVAL);
    if (stat(path, &s) != 0)
        return unavailable();
    if (S_ISSOCK(s.st_mode)) {
        TRY(connect_socket(path, ret_fd));
        *ret_transport = TPM_SOCKET;
        return OK;
    }
    if (!S_ISCHR(s.st_mode))
        return fail_foreign(E_tpm_unavailable, FOREIGN_ERRNO, ENOTTY);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return unavailable();
    *ret_fd = fd;
    *ret_transport = TPM_DEVICE;
    return OK;
}
