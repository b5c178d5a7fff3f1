/* A front on its own: the real seb-front as a child, with a supervisor and a core that are only as much as it needs. The core
 * answers each SUBMIT with what it understood of it, or keeps silent until it is told otherwise. What fails here aborts the test.
 */
#ifndef SEB_TESTS_FRONT_STAND_H
#define SEB_TESTS_FRONT_STAND_H

#include "base/result.h"

#include <stdint.h>

struct stand;
/* program: path of seb-front; config: the example's path, from which all but paths and limits are taken. */
struct stand *stand_open(const char *program, const char *config, int64_t in_flight_per_uid, int64_t rate_per_s_per_uid);
/* The same with a door for verifiers: bus.verifier's four members. */
struct stand_door {
    const char *ca, *certificate, *key, *listen;
};
struct stand *stand_open_with(
    const char *program, const char *config, int64_t in_flight, int64_t rate, const struct stand_door *door);
const char *stand_agents(const struct stand *s); /* sockets */
const char *stand_admin(const struct stand *s);
void stand_silence(struct stand *s, bool silent);
void stand_pending(struct stand *s, unsigned n); /* the next n submissions are answered `pending` */
unsigned stand_kept(struct stand *s); /* requests unanswered while silent */
uint32_t stand_noise(struct stand *s, enum seb_code code);
unsigned stand_noise_messages(struct stand *s);
/* Closes the control link, as a supervisor that stops; gives the front's exit code. */
int stand_close(struct stand *s);

#endif
