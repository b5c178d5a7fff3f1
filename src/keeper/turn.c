#include "config.h"

#include "keeper/keeper.h"

/* What the idle TPM does next: the first that has something to give it. A revocation goes ahead of all; then what keeps the record
 * whole, what keeps the keys alive, the way of the requests, and last what is ahead of need. */
result chip_turn(struct keeper *k, int64_t now_ms)
{
    static result (*const urgent[])(struct keeper *, int64_t) = {
        epoch_turn,
        approval_turn,
        log_quote_turn,
        verdict_turn,
        challenge_turn,
        mint_key_turn,
        log_sign_turn,
        anchor_turn,
        state_arm_turn,
    };
    for (unsigned i = 0; i < sizeof urgent / sizeof *urgent; i++) {
        if (k->chip_lost || chip_is_busy(k->chip))
            return OK;
        TRY(urgent[i](k, now_ms));
    }
    return OK;
}
