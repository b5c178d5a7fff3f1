/* Enrolment: how an attestation key is bound to a TPM's EK, and the statement that says so (docs/attestation.md, "Enrolment"). The
 * verifier asks (op enrol), checks, sends a credential (op activate) that only that TPM opens and only beside that key, and
 * compares what comes back. Pure: secrets, time and roots are arguments. */
#ifndef SEB_ATTEST_ENROLMENT_H
#define SEB_ATTEST_ENROLMENT_H

#include "attest/ek.h"
#include "attest/evidence.h"

#define ENROLMENT_TEXT_MAX 131072
#define ENROLMENT_EKS_MAX 4

/* What an instance offers: RFC 8785 form of {"ak","ek":[{"certificate","public"}…],"keys"}. Opinion only. */
struct enrolment_offer {
    struct buf ak; /* TPMT_PUBLIC */
    unsigned eks;
    struct {
        struct buf certificate, public; /* DER; TPMT_PUBLIC */
    } ek[ENROLMENT_EKS_MAX];
    struct evidence_key key[EVIDENCE_ROLES];
};
MUST_USE result enrolment_offer_new(struct enrolment_offer **ret);
void enrolment_offer_free(struct enrolment_offer *o); /* accepts NULL */
void enrolment_offer_free_pointer(struct enrolment_offer **o);
#define AUTO_ENROLMENT_OFFER __attribute__((cleanup(enrolment_offer_free_pointer))) struct enrolment_offer
MUST_USE result enrolment_offer_parse(struct span text, struct enrolment_offer **ret);
MUST_USE result enrolment_offer_write(const struct enrolment_offer *o, struct buf *out);

/* policy_ref() of the instance: its log's origin is "<domain>/<instance>". */
MUST_USE result instance_policy_ref(
    const char *domain, const char *instance, const uint8_t ak_name[TPM_NAME_SIZE], struct digest *ret);

/* What it must prove is judged against. */
struct enrolment_terms {
    const char *domain, *instance;
    const struct ek_roots *roots;
    const struct pubkey *policy_key; /* with the AK's Name and the origin it gives the key policy */
    int64_t now;
};
/* What was proved of an offer, but for the activation. Owns its keys. */
struct enrolment {
    struct ek ek;
    unsigned ek_at; /* which of the offer's */
    uint8_t ak_name[TPM_NAME_SIZE];
    struct digest key_policy;
    struct pubkey *ak, *record, *mint; /* mint NULL: in an HSM, and not stated before a first lease */
    bool mint_in_hsm;
    struct token_identity token; /* of an HSM's mint key */
};
void enrolment_free(struct enrolment *e); /* what it owns; accepts zeroed */
/* The first EK of the offer whose chain is good; the AK's attributes (ak_attributes), that it is the key under which the others are
 * certified (ak_mismatch), record and mint key (key_not_certified, key_without_policy, key_mismatch where a kid is another's).
 * Where no EK serves: what was wrong with the last one, ek_missing where there is none. */
MUST_USE result enrolment_check(const struct enrolment_offer *o, const struct enrolment_terms *t, struct enrolment *ret);

/* An activation under way: its secret went out in a credential for this AK and this EK. It serves once. */
struct activation {
    uint8_t secret[CREDENTIAL_SECRET_SIZE];
    uint8_t ak_name[TPM_NAME_SIZE];
    struct digest ek; /* of the EK's SPKI */
    int64_t made;
    bool used;
};
#define ACTIVATION_S 300
/* Whether what came back is the secret (compared in constant time), of this AK and this EK, in time, and not asked before:
 * activation_replayed (used, or too old), activation_failed. Sets `used` whatever came: whoever guesses has one guess. */
MUST_USE result activation_answer(struct activation *a, const struct enrolment *e, struct span secret, int64_t now);

/* The statement, signed by the verifier (TYP_ENROLMENT). */
struct enrolment_statement {
    struct digest digest; /* of the payload; set by enrolment_parse */
    int64_t activated; /* seconds */
    struct digest ak; /* thumbprint */
    uint8_t ak_name[TPM_NAME_SIZE];
    char domain[DOMAIN_NAME_MAX + 1], instance[INSTANCE_NAME_MAX + 1];
    struct digest ek, ek_certificate;
    struct digest verifier; /* thumbprint of the verifier's key */
};
MUST_USE result enrolment_write(const struct enrolment_statement *s, struct buf *out);
MUST_USE result enrolment_parse(struct span payload, struct enrolment_statement *ret);
/* One signature, by this verifier, who must be the one that it names: bad_signature, bad_header, bad_value. */
MUST_USE result enrolment_open(const struct jws *j, const struct pubkey *verifier, struct enrolment_statement *ret);

#endif
