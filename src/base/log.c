#include "config.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <threads.h>
#include <unistd.h>

/* The process's name and where its stderr goes are properties of the process, set once at its start. */
static const char *program = "seb";
static bool to_journal;
static once_flag once = ONCE_FLAG_INIT;

/* systemd.exec(5), $JOURNAL_STREAM: device and inode of the stream, since a child may have redirected stderr. */
static void find_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    to_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
                 st.st_dev == device && st.st_ino == inode;
}

void log_program(const char *name)
{
    program = name;
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[1024];
    const int room = (int)sizeof line - 1; /* for the newline */
    call_once(&once, find_journal);
    int head = to_journal ? snprintf(line, (size_t)room, "<%d>", (int)level) : 0;
    int n = head + snprintf(line + head, (size_t)(room - head), "%s: ", program);
    if (n >= room)
        n = room - 1;
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + n, (size_t)(room - n), format, args);
    va_end(args);
    n = more < 0 ? n : more >= room - n ? room - 1 : n + more;
    /* One line for one thing: nothing that was printed can make a second one, or drive a terminal. */
    for (int i = head; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[n++] = '\n';
    /* One write, so that lines of several processes don't mix. There is nowhere to tell of its failure. */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}

void log_result(enum log_level level, const char *what, result r)
{
    char text[512];
    log_line(level, "%s: %s", what, result_text(r, text, sizeof text));
}

const char *log_quote(struct span peer, char *text, unsigned n)
{
    static const char end[] = "...\"";
    unsigned at = 0;
    if (n < 1 + 4 + sizeof end) {
        if (n)
            text[0] = 0;
        return text;
    }
    text[at++] = '"';
    for (size_t i = 0; i < peer.n; i++) {
        uint8_t c = peer.p[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        if (n - at < 4 + sizeof end) {
            snprintf(text + at, n - at, "%s", end);
            return text;
        }
        at += (unsigned)snprintf(text + at, n - at, plain ? "%c" : "\\x%02x", c);
    }
    snprintf(text + at, n - at, "\"");
    return text;
}
