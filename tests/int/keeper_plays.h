/* What a fallen core may ask of the keeper for a credential, one way at a time. */
#ifndef SEB_TESTS_KEEPER_PLAYS_H
#define SEB_TESTS_KEEPER_PLAYS_H

#include "tests/int/keeper_room.h"

/* One way to ask for what one may not have; everything else about it is honest. */
struct play {
    const char *name;
    enum seb_code want;
    const char *path, *value; /* a member of the certificate, signed so */
    const char *path2, *value2;
    enum { BY_AUTHORITY, BY_STRANGER, BY_NOBODY } signs; /* nobody: the authority's signature with a bit flipped */
    int64_t shift_s; /* of the certificate's window */
    void (*spoil)(struct entry *e);
    enum { ITS_OWN, NONE, ANOTHERS } sends;
    bool reads, unsigned_group, not_there;
    const char *body; /* in place of the contract's; "" for none */
};
/* Each is refused by its name, and no CALL comes. */
void plays_run(struct room *r);
/* An object of a cluster (keeper_objects.c): the honest way, and plays of its own. */
void objects_run(struct room *r);
/* The certificate of a play; of an empty one an honest one. */
struct document certificate_of(struct room *r, const struct play *p);
/* Edits w.certificate_json; *ret_before, which the caller frees, is the JSON that was there. */
void edit_for(struct room *r, const char *path, const char *value, char **ret_before);

#endif
