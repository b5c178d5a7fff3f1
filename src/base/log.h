/* One line to stderr, systemd's priority prefix in front when it reads stderr ($JOURNAL_STREAM). Only mains and the broker's stages
 * call it, once for each thing that happened. */
#ifndef SEB_BASE_LOG_H
#define SEB_BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTE = 5, LOG_DETAIL = 6 };
void log_program(const char *name); /* static text, printed before each line */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "what: name: words (foreign code)". */
void log_result(enum log_level level, const char *what, result r);
/* A peer's bytes, quoted and cut for a log line, into text of n bytes, which it returns. */
const char *log_quote(struct span peer, char *text, unsigned n);

#endif
