/* The predicates, one file each (policy/rule_<name>.c): E_ok, or why this fact refuses. For the table in judge.c alone. */
#ifndef SEB_POLICY_RULES_H
#define SEB_POLICY_RULES_H

#include "policy/judge.h"

enum seb_code rule_sig(const struct facts *f); /* enough distinct trusted authorities signed this certificate */
enum seb_code rule_pop(const struct facts *f); /* the agent whose key it carries signed the request for it */
enum seb_code rule_time(const struct facts *f); /* it is valid now, and the request is fresh */
enum seb_code rule_policy(const struct facts *f); /* the signed policy lets these authorities admit this contract now */
enum seb_code rule_rev(const struct facts *f); /* the active revocation epoch is its own, and known to be active */
enum seb_code rule_match(const struct facts *f); /* the request is the contract, member by member */
enum seb_code rule_scope(const struct facts *f); /* the target can do it as one mutation with a precondition */
enum seb_code rule_attest(const struct facts *f); /* a fresh, affirming result names the keys in use */
enum seb_code rule_replay(const struct facts *f); /* the certificate was not used */
enum seb_code rule_drift(const struct facts *f); /* live state is what the contract expects */

#endif
