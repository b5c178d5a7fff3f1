/* Endorsement keys: the chain of an EK's certificate to the manufacturers that somebody configured, and that a TPM's EK is the
 * certificate's key, made by the TCG's template (TCG EK Credential Profile for TPM Family 2.0, 2.4 and 2.5). RSA 2048 and 3072,
 * ECC P-256 and P-384. No I/O and no clock: certificates, bundle and time are arguments. */
#ifndef SEB_ATTEST_EK_H
#define SEB_ATTEST_EK_H

#include "base/digest.h"

#define EK_CERTIFICATE_MAX 4096
#define EK_ROOTS_MAX ((size_t)1 << 20) /* of a PEM bundle */
#define EK_PUBLIC_MAX 1024 /* of a TPMT_PUBLIC */

/* What trust stands on: the bundle's self-signed certificates are anchors, its others (intermediates) only help a chain to one. */
struct ek_roots; /* opaque, immutable; owned by whoever read it */
/* A PEM bundle of 1 to 256 certificates. ek_roots_bad where one can't be read, text that isn't a certificate stands between BEGIN
 * and END, or none is self-signed. */
MUST_USE result ek_roots_read(struct span pem, struct ek_roots **ret);
void ek_roots_free(struct ek_roots *r); /* accepts NULL */
void ek_roots_free_pointer(struct ek_roots **r);
#define AUTO_EK_ROOTS __attribute__((cleanup(ek_roots_free_pointer))) struct ek_roots

struct ek {
    struct digest certificate; /* SHA-256 of its DER */
    struct digest spki; /* SHA-256 of its SubjectPublicKeyInfo, DER */
};
/* Proves that the certificate (DER, nothing behind it) is an EK's, by a configured manufacturer, at the time `now` (seconds):
 * ek_certificate_bad (form, key kind, Credential Profile section 3.2: not a CA, key usage, extended key usage, the TPM's
 * manufacturer, model and version in the subject's alternative name), ek_certificate_expired (it, or one above it, is not valid
 * now), ek_chain_unknown (no chain to an anchor). */
MUST_USE result ek_certificate_check(const struct ek_roots *roots, struct span der, int64_t now, struct ek *ret);
/* Proves that this marshaled TPMT_PUBLIC is the EK of the certificate: ek_attributes (not restricted, decrypt, fixedTPM,
 * fixedParent, sensitiveDataOrigin, adminWithPolicy, or otherwise not of a TCG template: its policy, symmetric cipher, hash),
 * ek_mismatch (another key). */
MUST_USE result ek_public_check(struct span der, struct span tpmt_public);

#endif
