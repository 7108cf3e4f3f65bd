/*
 * The front's side of the resident planner (src/resident/protocol.ts has the messages): a worker
 * does what Node would do in our place, but we stay who the caller started. Every process that the
 * command needs is a child of ours, with our limits, cgroup and parent.
 */
#include <asm/poll.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/signal.h>

#include "front-message.h"
#include "front.h"

#define SOCK_NONBLOCK O_NONBLOCK
#define SO_PEERCRED 17
#define CLOSE_RANGE_CLOEXEC 4
#define MOST_FDS 0xffffffffU
/*
 * A worker that is free answers within a fraction of a millisecond, on a busy machine in some more:
 * but there Node takes longer, too. Who comes when all are busy and others wait is told at once.
 */
#ifndef RESIDENT_PATIENCE_MS
#define RESIDENT_PATIENCE_MS 100
#endif
#define STDIO_COUNT 3
#define GIVEN_MOST (STDIO_COUNT + 4)

enum kind {
  KIND_READY = 1,
  KIND_REQUEST,
  KIND_REFUSE,
  KIND_SPAWN,
  KIND_SPAWNED,
  KIND_WAIT,
  KIND_ENDED,
  KIND_EXIT,
};

struct message {
  uint32_t kind;
  int32_t value;
};

struct address {
  uint16_t family;
  char path[108];
};

struct credentials {
  int32_t pid;
  uint32_t uid;
  uint32_t gid;
};

static bool is_of_root(int socket)
{
  struct credentials peer = { .uid = 1 };
  uint32_t size = sizeof(peer);
  return syscall(__NR_getsockopt, socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == 0;
}

/* -1: there is none, or all of its workers have enough to do. */
static int connect_resident(void)
{
  static const struct address address = { AF_UNIX, RESIDENT_SOCKET };
  if (syscall(__NR_geteuid) != 0)
    return -1;
  long fd = syscall(__NR_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  if (syscall(__NR_connect, fd, &address, sizeof(address)) != 0 || !is_of_root((int)fd)) {
    syscall(__NR_close, fd);
    return -1;
  }
  syscall(__NR_fcntl, fd, F_SETFL, 0);
  return raise_descriptor((int)fd, true);
}

static bool send_message(int socket, enum kind kind, int32_t value, const int *descriptors,
                         size_t count)
{
  struct message message = { (uint32_t)kind, value };
  struct control control = { CONTROL_HEADER_SIZE + count * sizeof(int), SOL_SOCKET, SCM_RIGHTS, { 0 } };
  for (size_t i = 0; i < count; i++)
    control.descriptors[i] = descriptors[i];
  struct vector vector = { &message, sizeof(message) };
  struct message_header header = { .vectors = &vector,
                                   .vector_count = 1,
                                   .control = count == 0 ? NULL : &control,
                                   .control_size = count == 0 ? 0 : control.size };
  return syscall(__NR_sendmsg, socket, &header, MSG_NOSIGNAL) == (long)sizeof(message);
}

/* How many fds came with it; -1 where nothing more comes, or what is no message. */
static int receive_message(int socket, struct message *message, struct control *control)
{
  struct vector vector = { message, sizeof(*message) };
  struct message_header header = { .vectors = &vector,
                                   .vector_count = 1,
                                   .control = control,
                                   .control_size = sizeof(*control) };
  long size;
  do
    size = syscall(__NR_recvmsg, socket, &header, MSG_CMSG_CLOEXEC);
  while (size == -EINTR);
  if (size != (long)sizeof(*message) || (header.flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return -1;
  if (header.control_size < CONTROL_HEADER_SIZE)
    return 0;
  return (int)((control->size - CONTROL_HEADER_SIZE) / sizeof(int));
}

static bool is_ready(int socket)
{
  struct pollfd source = { .fd = socket, .events = POLLIN };
  const int64_t patience[2] = { RESIDENT_PATIENCE_MS / 1000,
                                RESIDENT_PATIENCE_MS % 1000 * 1000000LL };
  struct message message;
  static struct control control;
  return syscall(__NR_ppoll, &source, 1, patience, NULL, 0) == 1 &&
         receive_message(socket, &message, &control) == 0 && message.kind == KIND_READY;
}

/*
 * With the request go stdio, the working directory, the socket to the supervisor where there is one,
 * and the end of a pipe: when we are gone, however that came about, its other end is, and the worker
 * ends as Node would have. That we have that tells the worker that it is us who ask.
 */
static bool send_request(int socket, int request, int supervisor)
{
  int life[2];
  if (syscall(__NR_pipe2, life, O_CLOEXEC) != 0)
    return false;
  /* The other one stays open until we end. */
  int held = raise_descriptor(life[1], true);
  int directory = (int)syscall(__NR_openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int given[GIVEN_MOST] = { 0, 1, 2, request, directory, life[0], supervisor };
  size_t count = supervisor < 0 ? GIVEN_MOST - 1 : GIVEN_MOST;
  bool sent = directory >= 0 && send_message(socket, KIND_REQUEST, held, given, count);
  syscall(__NR_close, directory);
  syscall(__NR_close, life[0]);
  return sent;
}

/* They become 0, 1, 2 …; the last one is what is executed. */
__attribute__((noreturn)) static void become_executor(const int *descriptors, size_t count)
{
  int staged[MOST_DESCRIPTORS];
  for (size_t i = 0; i < count; i++)
    staged[i] = (int)syscall(__NR_fcntl, descriptors[i], F_DUPFD_CLOEXEC, count);
  for (size_t i = 0; i + 1 < count; i++)
    if (syscall(__NR_dup3, staged[i], i, 0) < 0)
      give_up("too many open files:", "RLIMIT_NOFILE is too low");
  syscall(__NR_close_range, count - 1, MOST_FDS, CLOSE_RANGE_CLOEXEC);
  reset_signals();
  const char *argv[] = { "tsrunc", NULL };
  const char *environment[] = { NULL };
  syscall(__NR_execveat, staged[count - 1], "", argv, environment, AT_EMPTY_PATH);
  give_up("cannot execute", "the executor");
}

static int32_t spawn(const int *descriptors, size_t count)
{
  keep_children();
  long pid = syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0)
    become_executor(descriptors, count);
  return (int32_t)pid;
}

/* Its wait status, or -errno. */
static int32_t wait_for(int32_t pid)
{
  int32_t status;
  long result;
  do
    result = syscall(__NR_wait4, pid, &status, WAIT_ALL_KINDS, NULL);
  while (result == -EINTR);
  return result < 0 ? (int32_t)result : status;
}

/* As Node that is killed in our place: what there is, the supervisor or the caller then removes. */
__attribute__((noreturn)) static void end_as_killed(void)
{
  complain("the resident planner ended", "before the command did");
  syscall(__NR_kill, syscall(__NR_getpid), SIGKILL);
  /* Pid 1 cannot kill itself. */
  for (;;)
    syscall(__NR_exit_group, 1);
}

/* False: the worker refuses. */
static bool serve_worker(int socket)
{
  for (;;) {
    struct message message = { 0, 0 };
    static struct control control;
    int count = receive_message(socket, &message, &control);
    bool answered = false;
    if (count == 0 && message.kind == KIND_REFUSE)
      return false;
    if (count == 0 && message.kind == KIND_EXIT)
      for (;;)
        syscall(__NR_exit_group, message.value);
    if (count == 0 && message.kind == KIND_WAIT)
      answered = send_message(socket, KIND_ENDED, wait_for(message.value), NULL, 0);
    if (count > STDIO_COUNT && message.kind == KIND_SPAWN) {
      answered = send_message(socket, KIND_SPAWNED, spawn(control.descriptors, (size_t)count), NULL, 0);
      for (int i = 0; i < count; i++)
        syscall(__NR_close, control.descriptors[i]);
    }
    if (!answered)
      end_as_killed();
  }
}

void ask_resident(int request, int supervisor)
{
  int socket = connect_resident();
  if (socket < 0)
    return;
  if (is_ready(socket) && send_request(socket, request, supervisor))
    serve_worker(socket);
  syscall(__NR_close, socket);
}
