/* The commands of sab: each takes its own argv (argv[0] is the command's name), and returns the exit code. */
#ifndef SEB_TOOLS_SAB_H
#define SEB_TOOLS_SAB_H

int sab_fence(int argc, char **argv);

#endif
