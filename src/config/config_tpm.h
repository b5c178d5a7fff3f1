/* The member `tpm` of the configuration. For config.c alone. */
#ifndef SEB_CONFIG_CONFIG_TPM_H
#define SEB_CONFIG_CONFIG_TPM_H

#include "config/config.h"

MUST_USE result tpm_read(const json_t *o, struct config *c, const char **ret_where);
/* Where the mint key is in an HSM: handles of mint keys are refused, and none stands in *c. */
MUST_USE result tpm_no_mint_key(const json_t *o, struct config *c, const char **ret_where);

#endif
