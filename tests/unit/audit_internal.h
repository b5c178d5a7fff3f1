/* Between the files that make an audit's world. */
#ifndef SEB_TESTS_AUDIT_INTERNAL_H
#define SEB_TESTS_AUDIT_INTERNAL_H

#include "tests/unit/audit_world.h"

void aw_blob(struct audit_world *w, enum blob_kind kind, const struct digest *d, struct span data);
void aw_text(const char *text, char *to, size_t room);
void aw_measure(struct audit_world *w);

#endif
