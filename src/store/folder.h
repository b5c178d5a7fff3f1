/* A folder that is written beside its final name, and gets it when it is whole. */
#ifndef SEB_STORE_FOLDER_H
#define SEB_STORE_FOLDER_H

#include "base/bytes.h"

struct folder {
    struct buf path, beside; /* with NUL */
    bool made; /* beside is there, and unfinished */
    int fd;
};
/* exists where anything has that name. */
MUST_USE result folder_begin(const char *path, struct folder *ret);
/* All on disk, then the name: exists where somebody took it meanwhile. */
MUST_USE result folder_finish(struct folder *f);
/* Removes what wasn't finished; frees. Accepts a zeroed one. */
void folder_end(struct folder *f);
#define AUTO_FOLDER __attribute__((cleanup(folder_end))) struct folder

/* A new file in it, open for writing; the folders on its way are made. exists where it is there. The caller closes it. */
MUST_USE result folder_file(const struct folder *f, const char *name, int *ret_fd);
MUST_USE result fd_write(int fd, struct span content);
void fd_close(int *fd); /* accepts -1 */
#define AUTO_FD __attribute__((cleanup(fd_close))) int
/* All of a new file. */
MUST_USE result folder_write(const struct folder *f, const char *name, struct span content);

#endif
