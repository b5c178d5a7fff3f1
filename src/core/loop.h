/* What core.c's loop is made of besides messages: the start (start.c), timers and the stop (timers.c). */
#ifndef SEB_CORE_LOOP_H
#define SEB_CORE_LOOP_H

#include "core/core.h"

/* Opens the database; the keeper's KEYS lead to RESUME; RESUMED lets the log go on: what no note covers is appended again,
 * statements are restored, the start is recorded. When the keeper has appended that, signed or not, open decisions are taken up
 * and the broker serves. KEYS comes again where the mint key changes. */
MUST_USE result start_store(struct core *c);
MUST_USE result start_keys(struct core *c, struct span fields);
MUST_USE result start_resumed(struct core *c, const struct code_message *m);
/* rekey.c: what sebctl rekey left behind is the first record of the run. */
MUST_USE result rekey_record(struct core *c);
void start_undo(struct core *c);

/* Due waiters are answered `pending`, due works resumed, counted noise recorded. */
int timers_wait_ms(struct core *c);
void timers_run(struct core *c);

/* The orderly stop: nothing new, what is under way ends or a deadline passes, the stop is recorded, signed, quoted and stored. */
void stop_begin(struct core *c);
void stop_advance(struct core *c);

#endif
