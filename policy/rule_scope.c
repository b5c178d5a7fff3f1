#include "config.h"

#include "policy/rules.h"

enum seb_code rule_scope(const struct facts *f)
{
    return f->target ? f->target->scope : E_target_unknown;
}
