/* C2SP tlog-checkpoint in a C2SP signed note, signature type 0x02 (ECDSA P-256, ASN.1 DER, SHA-256), one signature. Pure. */
#ifndef SEB_MERKLE_CHECKPOINT_H
#define SEB_MERKLE_CHECKPOINT_H

#include "base/digest.h"
#include "base/pubkey.h"

#define NOTE_MAX 1024
#define ORIGIN_MAX 200
struct checkpoint {
    char origin[ORIGIN_MAX + 1];
    uint64_t size;
    struct digest root;
};
/* The note's text: origin, size, base64 root, each with a newline. */
MUST_USE result checkpoint_text(const struct checkpoint *c, struct buf *out);
/* The whole note from text and raw signature (64 bytes) of `key` over SHA-256(text). */
MUST_USE result checkpoint_note(
    const struct checkpoint *c, const struct pubkey *key, const uint8_t raw[SIGNATURE_SIZE], struct buf *out);
/* Parses a note, verifies its one signature by key under the origin's name. bad_note, bad_signature. *ret_text views note. */
MUST_USE result checkpoint_open(struct span note, const struct pubkey *key, struct checkpoint *ret, struct span *ret_text);
/* Parses without verifying, for whom only the size matters. */
MUST_USE result checkpoint_parse(struct span note, struct checkpoint *ret, struct span *ret_text);

#endif
