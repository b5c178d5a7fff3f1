/* The commands of sebctl: each takes its own argv (argv[0] is the command's name), and returns the exit code. */
#ifndef SEB_TOOLS_SEBCTL_H
#define SEB_TOOLS_SEBCTL_H

int sebctl_fence(int argc, char **argv);

#endif
