/*
 * The front: what a caller starts as `tsrunc`. It records what Node would change, and has a resident
 * planner do the rest, where there is one. Otherwise it finds Node and becomes it, or, for a
 * foreground `run` or `exec`, stays as the container's supervisor.
 * It never enters a container.
 */
#ifndef TSRUNC_FRONT_H
#define TSRUNC_FRONT_H

#include <stdbool.h>

#include "syscall.h"

/* wait4(2): __WALL. */
#define WAIT_ALL_KINDS 0x40000000
#define LIMIT_COUNT 16
#define LIMIT_DATA 2
#define LIMIT_NOFILE 7
#define LIMIT_AS 9

struct limit {
  uint64_t soft;
  uint64_t hard;
};

struct front {
  char *const *argv;
  char *const *environment;
  struct limit limits[LIMIT_COUNT];
};

/* Prints `tsrunc: WHAT SUBJECT` on stderr. */
void complain(const char *what, const char *subject);
/* Complains and exits with status 1. */
__attribute__((noreturn)) void give_up(const char *what, const char *subject);

/* A copy of `fd` that is far above those that a caller passes on; `fd` is closed. */
int raise_descriptor(int fd, bool close_on_exec);

/* A memfd as src/host/request.ts describes it; `descriptors`: list the fds that are open now. */
int record_request(const struct front *front, char *const *argv, bool descriptors);
void record_supervisor(int request, int fd);

/* Finds Node and becomes it. */
__attribute__((noreturn)) void execute_node(int request);

/*
 * Has the resident planner carry out the request, with a socket to the supervisor or -1. Exits with
 * the command's status; returns where there is none, or it is nothing for it.
 */
void ask_resident(int request, int supervisor);

/* No signal blocked, all dispositions the default: what a program of ours starts with. */
void reset_signals(void);
void unblock_signals(void);
/* A caller that ignores SIGCHLD would have the kernel reap what we wait for. */
void keep_children(void);

/* Runs Node as a child, then stands in for the container's init until it ends; exit status. */
int supervise(const struct front *front, int request);

#endif
