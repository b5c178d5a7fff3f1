#include "config.h"

#include "policy/rules.h"

enum seb_code rule_replay(const struct facts *f)
{
    return f->used ? E_certificate_used : E_ok;
}
