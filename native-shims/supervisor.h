/*
 * What Node tells the supervisor, over a SOCK_SEQPACKET socket whose number is in the request.
 * A message is one datagram: this header, then `count` strings, each ended by a NUL: the arguments
 * (without argv[0]) with which Node is run again when only it can clean up (`--root`, DIR,
 * `delete`, `--force`, ID). The other half is src/engine/supervisor-protocol.ts.
 *
 * CREATED, before Node's first effect: if Node is killed from now on, clean up. With it may come the
 * container's status page; `pid` then is the offset at which init's end is to be written there.
 * SUPERVISE, the last thing that Node does: `pid` is the container's init, whose pidfd comes with
 * the message, and with it either nothing (nothing is torn down) or the executor, the teardown
 * program and its status page, in this order.
 */
#ifndef TSRUNC_SUPERVISOR_H
#define TSRUNC_SUPERVISOR_H

#include "front.h"

#define KIND_SUPERVISE 1
#define KIND_CREATED 2

#define MESSAGE_SIZE 16384
#define FALLBACK_MAX 32

struct message {
  uint32_t kind;
  int32_t pid;
  uint32_t count;
  uint32_t zero;
  char strings[MESSAGE_SIZE - 16];
};

/* -1: not given. */
struct descriptors {
  int init;
  int executor;
  int program;
  int status;
};

/* What Node has told so far. */
struct orders {
  struct message message;
  struct descriptors descriptors;
  /* The container's status page, -1 if there is none, and where in it init's end belongs. */
  int page;
  int32_t page_offset;
};

enum received { RECEIVED_NOTHING, RECEIVED_MESSAGE, RECEIVED_END };

/* Takes one message, without waiting; gives up on what is none. */
enum received receive_orders(int socket, struct orders *orders);

/* The exit status, or 128 + the number of the signal. */
int to_exit_status(int wait_status);
/* Waits for a child and reaps every orphan meanwhile; its wait status, a failure where pid < 0. */
int wait_for_child(long pid);
void unblock_signals(void);

/* Runs the teardown program, where there is one; and where that fails, the fallback. */
void tear_down(const struct front *front, const struct orders *orders);
/* Runs Node with the arguments of the last message. */
void run_fallback(const struct front *front, const struct orders *orders);

#endif
