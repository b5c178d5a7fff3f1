/* The targets of the configuration. For the files of config, and for `sebctl target`, which makes a target of it. */
#ifndef SEB_CONFIG_TARGET_H
#define SEB_CONFIG_TARGET_H

#include "config/config.h"

/* no_config with *ret_where. Never more than CONFIG_TARGETS. */
MUST_USE result targets_read(const json_t *targets, struct config *c, const char **ret_where);

#endif
