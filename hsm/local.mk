# The only folder that includes the headers of tpm2-tss and p11-kit.
noinst_LIBRARIES += libhsm.a
libhsm_a_CFLAGS = $(AM_CFLAGS) $(TSS_CFLAGS) $(P11KIT_CFLAGS)
libhsm_a_SOURCES = \
	hsm/hsm.c hsm/hsm.h hsm/key.h \
	hsm/ossl_shared_ctx.c hsm/ossl_shared_ctx.h \
	hsm/p11_internal.h hsm/p11_key.c hsm/p11_object.c hsm/p11_provision.c \
	hsm/pkcs11.c hsm/pkcs11.h \
	hsm/tpm.c hsm/tpm.h hsm/tpm_guard.h hsm/tpm_internal.h \
	hsm/tpm_codec.c hsm/tpm_ek.c hsm/tpm_guard.c hsm/tpm_guard_internal.h hsm/tpm_key.c hsm/tpm_nv.c hsm/tpm_pcr.c hsm/tpm_provision.c \
	hsm/tpm_quote.c hsm/tpm_seal.c hsm/tpm_session.c hsm/tpm_storage.c hsm/tpm_tcti.c \
	hsm/tss2_pem.c hsm/tss2_pem.h
# BASE_LIBS come after it. An executable that opens a TPM gets the definitions of ossl_shared_ctx.c with libhsm.a, and the linker
# exports them, because libtss2-esys refers to them.
HSM_LIBS = libhsm.a $(TSS_LIBS) $(P11KIT_LIBS)
