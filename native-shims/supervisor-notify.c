/* sd_notify(3) of a container in the foreground; runc forwards as much of it. */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "supervisor.h"

#define DATAGRAM_SIZE 4096
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define SEND_TIMEOUT_MS 5000
#define BARRIER_TIMEOUT_MS 30000

struct vector {
  const void *base;
  size_t size;
};

struct message_header {
  void *name;
  int name_size;
  const struct vector *vectors;
  size_t vector_count;
  const void *control;
  size_t control_size;
  unsigned int flags;
};

struct control {
  _Alignas(8) size_t size;
  int level;
  int type;
  int descriptor;
};

static struct {
  int notified;
  int notifies;
  /* Ends when everything that we sent has been taken. */
  int barrier;
} notify = { -1, -1, -1 };

void start_notify(int notified, int notifies)
{
  notify.notified = notified;
  notify.notifies = notifies;
}

void ask_notify(struct pollfd *sources)
{
  sources[0].fd = notify.notified;
  sources[0].events = POLLIN;
}

static void send(const char *bytes, size_t size, int descriptor)
{
  struct pollfd source = { .fd = notify.notifies, .events = POLLOUT };
  const struct control control = { offsetof(struct control, descriptor) + sizeof(int), SOL_SOCKET,
                                   SCM_RIGHTS, descriptor };
  const struct vector vector = { bytes, size };
  const struct message_header header = { .vectors = &vector,
                                         .vector_count = 1,
                                         .control = descriptor < 0 ? NULL : &control,
                                         .control_size = descriptor < 0 ? 0 : sizeof(control) };
  poll_sources(&source, 1, SEND_TIMEOUT_MS);
  syscall(__NR_sendmsg, notify.notifies, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_pid(void)
{
  char line[24] = "MAINPID=";
  char digits[12];
  size_t count = 0, end = sizeof("MAINPID=") - 1;
  for (long pid = syscall(__NR_getpid); pid > 0; pid /= 10)
    digits[count++] = (char)('0' + pid % 10);
  while (count > 0)
    line[end++] = digits[--count];
  line[end++] = '\n';
  send(line, end, -1);
}

static void send_barrier(void)
{
  int ends[2];
  if (syscall(__NR_pipe2, ends, O_CLOEXEC) != 0)
    return;
  send("BARRIER=1", sizeof("BARRIER=1") - 1, ends[1]);
  syscall(__NR_close, ends[1]);
  notify.barrier = ends[0];
}

/* The length of a line that begins with READY=, and its newline; 0: it is another. */
static size_t measure_ready(const char *line, size_t left)
{
  static const char word[] = "READY=";
  size_t size = 0;
  for (; size < sizeof(word) - 1; size++)
    if (size == left || line[size] != word[size])
      return 0;
  while (size < left && line[size] != '\n')
    size++;
  return size;
}

void serve_notify(const struct pollfd *sources)
{
  static char bytes[DATAGRAM_SIZE + 1];
  if (sources[0].fd < 0 || sources[0].revents == 0)
    return;
  long size = syscall(__NR_recvfrom, notify.notified, bytes, DATAGRAM_SIZE, MSG_DONTWAIT);
  for (long at = 0; at < size; at++) {
    if (at > 0 && bytes[at - 1] != '\n')
      continue;
    size_t length = measure_ready(bytes + at, (size_t)(size - at));
    if (length == 0)
      continue;
    bytes[at + (long)length] = '\n';
    send(bytes + at, length + 1, -1);
    /* We are what stands for the container as long as it runs. */
    send_pid();
    send_barrier();
    syscall(__NR_close, notify.notified);
    notify.notified = -1;
    return;
  }
}

void finish_notify(void)
{
  struct pollfd source = { .fd = notify.barrier, .events = POLLIN };
  if (notify.barrier >= 0)
    poll_sources(&source, 1, BARRIER_TIMEOUT_MS);
}
