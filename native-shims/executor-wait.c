/* Between create and start: one process that sleeps until someone says GO, or a signal ends it. */
#include "executor.h"

#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/signalfd.h>

#define SOCK_NONBLOCK 0x800
#define SOCK_CLOEXEC 0x80000
#define MSG_DONTWAIT 0x40
#define SIGSET_SIZE 8

enum { LISTENING, SIGNALS, PEER, WATCHED };

static uint64_t bit(int signal)
{
  return 1ULL << (signal - 1);
}

/* 1: it said GO; 0: nothing yet; -1: end of file or garbage. */
static int hear(int peer)
{
  uint32_t words[3];
  long length = syscall(__NR_recvfrom, peer, words, sizeof words, MSG_DONTWAIT, 0, 0);
  if (length == -EAGAIN || length == -EINTR)
    return 0;
  return length == 2 * sizeof words[0] && words[0] == GO && words[1] == 0 ? 1 : -1;
}

static void hang_up(struct pollfd *peer)
{
  if (peer->fd >= 0)
    syscall(__NR_close, peer->fd);
  peer->fd = -1;
}

/* A newer peer takes the place of one that said nothing: silence must not block `start`. */
static long serve(struct pollfd *watched)
{
  if (watched[PEER].fd >= 0 && watched[PEER].revents != 0) {
    int said = hear(watched[PEER].fd);
    if (said > 0)
      return watched[PEER].fd;
    if (said < 0)
      hang_up(watched + PEER);
  }
  if (watched[LISTENING].revents != 0) {
    long peer = syscall(__NR_accept4, watched[LISTENING].fd, 0, 0, SOCK_CLOEXEC);
    if (!is_error(peer)) {
      hang_up(watched + PEER);
      watched[PEER].fd = (int)peer;
    } else if (peer != -EAGAIN && peer != -EINTR && peer != -ECONNABORTED) {
      return peer;
    }
  }
  return 0;
}

static long watch(int listening, int signals)
{
  struct pollfd watched[WATCHED] = {
      {.fd = listening, .events = POLLIN}, {.fd = signals, .events = POLLIN},
      {.fd = -1, .events = POLLIN}};
  for (;;) {
    long ready = syscall(__NR_ppoll, watched, WATCHED, 0, 0, 0);
    if (ready == -EINTR)
      continue;
    if (is_error(ready))
      return ready;
    struct signalfd_siginfo info;
    if (watched[SIGNALS].revents != 0 &&
        syscall(__NR_read, signals, &info, sizeof info) == sizeof info)
      return SIGNAL_BASE - (long)info.ssi_signo;
    long result = serve(watched);
    if (result != 0)
      return result;
  }
}

long wait_for_go(int listening)
{
  /* ppoll passes over a negative fd: nobody would ever come. */
  if (listening < 0)
    return -EBADF;
  /* As pid 1 of a namespace the default action of these is nothing: we take them ourselves. */
  uint64_t ending = bit(SIGHUP) | bit(SIGINT) | bit(SIGQUIT) | bit(SIGTERM);
  uint64_t before;
  syscall(__NR_rt_sigprocmask, SIG_BLOCK, &ending, &before, SIGSET_SIZE);
  long signals = syscall(__NR_signalfd4, -1, &ending, SIGSET_SIZE, SOCK_NONBLOCK | SOCK_CLOEXEC);
  long result = signals;
  if (!is_error(signals)) {
    result = watch(listening, (int)signals);
    syscall(__NR_close, signals);
  }
  syscall(__NR_rt_sigprocmask, SIG_SETMASK, &before, 0, SIGSET_SIZE);
  return result;
}
