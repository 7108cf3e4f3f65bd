/*
 * The bytes between the caller and the container's pty. Each direction has one small buffer that is
 * filled only when it is empty: who is slow slows the other side down, and nothing is lost.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/signal.h>
#include <linux/signalfd.h>
#include <linux/stat.h>

#include "supervisor.h"

#define STDIN 0
#define STDOUT 1
#define BUFFER_SIZE 16384
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

enum { MASTER, INPUT, OUTPUT };

struct stream {
  size_t begin;
  size_t end;
  char bytes[BUFFER_SIZE];
};

static struct {
  int master;
  /* Ours as long as init runs: where nobody has a slave open, a master is not worth a poll. */
  int slave;
  int input;
  int output;
  bool input_is_terminal;
  bool output_is_socket;
  /* What was read last did not end its line. */
  bool in_line;
} relay = { .master = -1, .slave = -1, .input = -1, .output = -1 };

static struct stream to_master;
static struct stream to_output;

static unsigned int type_of(int fd)
{
  struct statx status = { 0 };
  syscall(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &status);
  return status.stx_mode & S_IFMT;
}

/*
 * A terminal or pipe of which no read or write shall wait: O_NONBLOCK belongs to the open file,
 * which the caller shares, so that it is opened anew. A file is not: it would begin at its start.
 */
static int open_patiently(int fd, int access)
{
  char path[] = "/proc/self/fd/0";
  path[sizeof(path) - 2] = (char)('0' + fd);
  if (type_of(fd) != S_IFIFO && !is_terminal(fd))
    return fd;
  int flags = access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int opened = (int)syscall(__NR_openat, AT_FDCWD, path, flags);
  return opened < 0 ? fd : opened;
}

void start_relay(int master)
{
  syscall(__NR_fcntl, master, F_SETFL, O_RDWR | O_NONBLOCK);
  relay.master = master;
  relay.slave = (int)syscall(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  relay.input_is_terminal = is_terminal(STDIN);
  relay.output_is_socket = type_of(STDOUT) == S_IFSOCK;
  relay.output = open_patiently(STDOUT, O_WRONLY);
  relay.input = open_patiently(STDIN, O_RDONLY);
  /* A device that is no terminal is /dev/null: nobody meant to end the container's input by it. */
  if (!relay.input_is_terminal && type_of(STDIN) == S_IFCHR)
    relay.input = -1;
}

int relay_master(void)
{
  return relay.master;
}

static bool is_empty(const struct stream *stream)
{
  return stream->begin == stream->end;
}

/* As when a terminal is closed: the kernel tells the session in the container. */
static void hang_up(void)
{
  syscall(__NR_close, relay.master);
  syscall(__NR_close, relay.slave);
  relay.master = relay.slave = relay.input = -1;
  to_output.begin = to_output.end = 0;
  to_master.begin = to_master.end = 0;
}

static void append_end_of_file(void)
{
  struct termios modes = { 0 };
  syscall(__NR_ioctl, relay.master, TCGETS, &modes);
  to_master.bytes[to_master.end++] = (char)modes.c_cc[VEOF];
}

/* What a user would type: once ends a line that was begun, once more the input. */
static void type_end_of_file(void)
{
  to_master.begin = to_master.end = 0;
  for (int i = 0; i <= relay.in_line; i++)
    append_end_of_file();
  relay.input = -1;
}

/*
 * Raw mode turns an end of file that was typed before into a NUL (n_tty): it is taken as what it is
 * before that. A terminal that somebody else reads from now on is left alone (EIO).
 */
void take_typed_ahead(void)
{
  struct stream *stream = &to_master;
  struct pollfd source = { .fd = relay.input, .events = POLLIN };
  if (!relay.input_is_terminal || relay.input == STDIN || !is_empty(stream))
    return;
  stream->begin = stream->end = 0;
  while (stream->end < BUFFER_SIZE && poll_sources(&source, 1, 0) &&
         source.revents == POLLIN) {
    size_t left = BUFFER_SIZE - stream->end;
    long size = syscall(__NR_read, relay.input, stream->bytes + stream->end, left);
    if (size < 0)
      break;
    stream->end += (size_t)size;
    if (size == 0)
      append_end_of_file();
  }
}

static void take_input(short events)
{
  struct stream *stream = &to_master;
  if (events == 0 || !is_empty(stream)) {
    if (relay.input_is_terminal && (events & POLLHUP) != 0)
      hang_up();
    return;
  }
  long size = read_input(relay.input, stream->bytes, BUFFER_SIZE);
  if (size > 0) {
    stream->begin = 0;
    stream->end = (size_t)size;
    relay.in_line = stream->bytes[size - 1] != '\n';
  } else if (relay.input_is_terminal && (events & POLLHUP) != 0)
    hang_up();
  else if (size == 0 && relay.input_is_terminal) {
    /* Somebody else has ended the raw mode meanwhile, and the user the input: of the container. */
    stream->begin = stream->end = 0;
    append_end_of_file();
  } else if (size == 0)
    type_end_of_file();
  else if (size != -EAGAIN && size != -EINTR)
    /* No terminal of ours any more, or not one that an orphaned group may read. */
    relay.input = -1;
}

/* False when the other side is gone. */
static bool put(int fd, struct stream *stream, bool is_socket)
{
  size_t left = stream->end - stream->begin;
  const char *bytes = stream->bytes + stream->begin;
  long size = is_socket ? syscall(__NR_sendto, fd, bytes, left, MSG_DONTWAIT | MSG_NOSIGNAL)
                        : syscall(__NR_write, fd, bytes, left);
  if (size < 0)
    return size == -EAGAIN || size == -EINTR;
  stream->begin += (size_t)size;
  return true;
}

/* False at the end of what there is. */
static bool take_output(void)
{
  struct stream *stream = &to_output;
  long size = syscall(__NR_read, relay.master, stream->bytes, BUFFER_SIZE);
  stream->begin = 0;
  stream->end = size > 0 ? (size_t)size : 0;
  return size > 0;
}

void ask_relay(struct pollfd *sources)
{
  short events = (short)((is_empty(&to_output) ? POLLIN : 0) |
                         (is_empty(&to_master) ? 0 : POLLOUT));
  bool wants_input = is_empty(&to_master);
  sources[MASTER].fd = events != 0 ? relay.master : -1;
  sources[MASTER].events = events;
  /* A terminal's end is of interest even while the container takes no more input. */
  sources[INPUT].fd = wants_input || relay.input_is_terminal ? relay.input : -1;
  sources[INPUT].events = wants_input ? POLLIN : 0;
  sources[OUTPUT].fd = is_empty(&to_output) ? -1 : relay.output;
  sources[OUTPUT].events = POLLOUT;
}

void serve_relay(const struct pollfd *sources)
{
  if (sources[INPUT].fd >= 0)
    take_input(sources[INPUT].revents);
  if (relay.master < 0)
    return;
  if ((sources[MASTER].revents & POLLOUT) != 0 && !put(relay.master, &to_master, false))
    to_master.begin = to_master.end;
  if ((sources[MASTER].revents & POLLIN) != 0 && is_empty(&to_output))
    take_output();
  if (!is_empty(&to_output) && sources[OUTPUT].fd >= 0 && sources[OUTPUT].revents != 0 &&
      !put(relay.output, &to_output, relay.output_is_socket))
    hang_up();
}

static bool shall_end(int signals)
{
  const uint64_t ends = 1ULL << (SIGHUP - 1) | 1ULL << (SIGINT - 1) | 1ULL << (SIGQUIT - 1) |
                        1ULL << (SIGTERM - 1);
  struct signalfd_siginfo info;
  while (syscall(__NR_read, signals, &info, sizeof(info)) == (long)sizeof(info))
    if ((ends >> (info.ssi_signo - 1) & 1) != 0)
      return true;
  return false;
}

void drain_relay(int signals)
{
  if (relay.master < 0)
    return;
  /* From now on a read that finds nothing is the end, or waits for a process that stays behind. */
  syscall(__NR_close, relay.slave);
  relay.slave = relay.input = -1;
  struct pollfd sources[] = { { .fd = relay.output, .events = POLLOUT },
                              { .fd = signals, .events = POLLIN } };
  while (!is_empty(&to_output) || take_output()) {
    poll_sources(sources, 2, -1);
    if (sources[1].revents != 0 && shall_end(signals))
      break;
    if (sources[0].revents != 0 && !put(relay.output, &to_output, relay.output_is_socket))
      break;
  }
  syscall(__NR_close, relay.master);
  relay.master = -1;
}
