/*
 * What Node tells the supervisor, over a SOCK_SEQPACKET socket whose number is in the request.
 * A message is one datagram: this header, then `count` strings, each ended by a NUL: the arguments
 * (without argv[0]) with which Node is run again when only it can clean up (`--root`, DIR,
 * `delete`, `--force`, ID). The other half is src/engine/supervisor-protocol.ts.
 *
 * CREATED, before Node's first effect: if Node is killed from now on, clean up. With it may come the
 * container's status page; `pid` then is the offset at which init's end is to be written there.
 * SUPERVISE, the last thing that Node does: `pid` is the container's init, whose pidfd comes with
 * the message. What else comes, in this order, `given` says: the executor, the teardown program and
 * its status page (without: nothing is torn down); the master of init's pty; the socket that init
 * notifies and one that is connected to whoever waits for it.
 */
#ifndef TSRUNC_SUPERVISOR_H
#define TSRUNC_SUPERVISOR_H

#include <asm/poll.h>

#include "front.h"

#define KIND_SUPERVISE 1
#define KIND_CREATED 2

#define GIVEN_TEARDOWN 1
#define GIVEN_TERMINAL 2
#define GIVEN_NOTIFY 4
#define GIVEN_PAGE 8

#define MESSAGE_SIZE 16384
#define FALLBACK_MAX 32

struct message {
  uint32_t kind;
  int32_t pid;
  uint32_t count;
  uint32_t given;
  char strings[MESSAGE_SIZE - 16];
};

/* -1: not given. */
struct descriptors {
  int init;
  int executor;
  int program;
  int status;
  int terminal;
  int notified;
  int notifies;
  int page;
};

/* What Node has told so far. */
struct orders {
  struct message message;
  struct descriptors descriptors;
  /* pid of Node. */
  int node;
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
/* Waits for at most so long; whether one of the sources has news. */
bool poll_sources(struct pollfd *sources, size_t count, int milliseconds);

/* Runs the teardown program, where there is one; and where that fails, the fallback. */
void tear_down(const struct front *front, const struct orders *orders);
/* Runs Node with the arguments of the last message. */
void run_fallback(const struct front *front, const struct orders *orders);

/*
 * The caller's terminal, where stdin is one. While its bytes go to a pty it is raw; a child of ours
 * makes it again what it was, whatever kills the supervisor.
 */
void start_terminal(char *const *argv);
void enter_raw_mode(void);
void leave_raw_mode(void);
/* To be told of every child that was reaped: the guardian is replaced. */
void note_reaped(long pid);
/* Gives the pty the size of the caller's terminal, where stdin, stdout or stderr is one. */
void copy_size(int master);
/* A read that stops us, as it would any job, where the caller's terminal is another job's. */
long read_input(int fd, void *bytes, size_t size);
bool is_terminal(int fd);

/* The bytes between stdin, stdout and a pty. */
#define RELAY_SOURCES 3
/* Takes the master over. */
void start_relay(int master);
/* What is typed before raw mode: an end of file among it is one for the container. */
void take_typed_ahead(void);
void ask_relay(struct pollfd *sources);
void serve_relay(const struct pollfd *sources);
/* Its master; -1 once nobody listens any more. */
int relay_master(void);
/* Once init has ended: writes what is left, unless `signals` has one that shall end us. */
void drain_relay(int signals);

/* sd_notify(3): READY= of the container goes to whoever waits for it, with our pid. */
#define NOTIFY_SOURCES 1
void start_notify(int notified, int notifies);
void ask_notify(struct pollfd *sources);
void serve_notify(const struct pollfd *sources);
/* Waits until READY= has been taken: its sender must not be gone before that. */
void finish_notify(void);

#endif
