/*
 * The caller's terminal. Who makes it raw may be killed before it is restored, so that a second
 * process, the guardian, waits for that: it sets the terminal back if it is still as we made it.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/signal.h>

#include "supervisor.h"

#define STDIN 0
#define GUARDED 0
#define SUPERVISOR 1
#define MOST_FDS 0x7fffffff
/* A guardian that somebody stops in its first instructions is no reason to wait for ever. */
#define READY_TIMEOUT_MS 1000
#define GUARDIAN_NAME "tsrunc-guardian"

static struct {
  bool raw;
  /* The words with which we were started. */
  char *const *argv;
  long guardian;
  struct termios before;
  struct termios wanted;
} terminal;

bool is_terminal(int fd)
{
  struct termios modes;
  return syscall(__NR_ioctl, fd, TCGETS, &modes) == 0;
}

/* Lets the kernel stop us, until we are in the foreground, at what only that may do. */
static long call_in_foreground(long number, int fd, unsigned long a, unsigned long b)
{
  const uint64_t stops = 1ULL << (SIGTTIN - 1) | 1ULL << (SIGTTOU - 1);
  syscall(__NR_rt_sigprocmask, SIG_UNBLOCK, &stops, NULL, sizeof(stops));
  long result = syscall(number, fd, a, b);
  syscall(__NR_rt_sigprocmask, SIG_BLOCK, &stops, NULL, sizeof(stops));
  return result;
}

long read_input(int fd, void *bytes, size_t size)
{
  return call_in_foreground(__NR_read, fd, (unsigned long)bytes, size);
}

/* cfmakeraw(3). */
static void make_raw(struct termios *modes)
{
  modes->c_iflag &=
    ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  modes->c_oflag &= ~(tcflag_t)OPOST;
  modes->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  modes->c_cflag = (modes->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
  modes->c_cc[VMIN] = 1;
  modes->c_cc[VTIME] = 0;
}

/* What somebody else has set meanwhile, such as a shell that reads its next line, is left. */
static void restore(int fd)
{
  struct termios now;
  if (syscall(__NR_ioctl, fd, TCGETS, &now) == 0 && now.c_iflag == terminal.wanted.c_iflag &&
      now.c_oflag == terminal.wanted.c_oflag && now.c_lflag == terminal.wanted.c_lflag)
    syscall(__NR_ioctl, fd, TCSETS, &terminal.before);
}

void start_terminal(char *const *argv)
{
  terminal.argv = argv;
}

/*
 * Who kills the supervisor by its command line (`pkill -9 -f`) shall not hit both. The kernel puts
 * the words into one piece of memory, and shows what is there now.
 */
static void replace_words(const char *name)
{
  char *const *last = terminal.argv;
  while (last[1] != NULL)
    last++;
  const char *end = *last + string_length(*last);
  for (char *byte = *terminal.argv; byte < end; byte++)
    *byte = *name != 0 ? *name++ : 0;
}

/*
 * Holds nothing but the terminal, and is in no group that a signal to the job reaches. That this is
 * so the supervisor sees by the end of a pipe, which close_range closes.
 */
__attribute__((noreturn)) static void guard(int supervisor)
{
  syscall(__NR_prctl, PR_SET_NAME, GUARDIAN_NAME);
  replace_words(GUARDIAN_NAME);
  syscall(__NR_setsid);
  syscall(__NR_dup3, supervisor, SUPERVISOR, 0);
  syscall(__NR_close_range, SUPERVISOR + 1, MOST_FDS, 0);
  struct pollfd sources[] = { { .fd = SUPERVISOR, .events = POLLIN } };
  while (!poll_sources(sources, 1, -1))
    ;
  restore(GUARDED);
  for (;;)
    syscall(__NR_exit_group, 0);
}

static void start_guardian(void)
{
  int ready[2];
  terminal.guardian = syscall(__NR_pipe2, ready, O_CLOEXEC);
  if (terminal.guardian < 0)
    return;
  int self = (int)syscall(__NR_pidfd_open, syscall(__NR_getpid), 0);
  terminal.guardian = self < 0 ? self : syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (terminal.guardian == 0)
    guard(self);
  if (self >= 0)
    syscall(__NR_close, self);
  syscall(__NR_close, ready[1]);
  struct pollfd source = { .fd = ready[0], .events = POLLIN };
  poll_sources(&source, 1, READY_TIMEOUT_MS);
  syscall(__NR_close, ready[0]);
}

void note_reaped(long pid)
{
  if (terminal.raw && pid == terminal.guardian)
    start_guardian();
}

/* Also when we go on after a stop: whoever had the terminal meanwhile has set its own modes. */
void enter_raw_mode(void)
{
  if (!terminal.raw) {
    if (syscall(__NR_ioctl, STDIN, TCGETS, &terminal.before) != 0)
      return;
    terminal.wanted = terminal.before;
    make_raw(&terminal.wanted);
    start_guardian();
    if (terminal.guardian <= 0)
      return;
    terminal.raw = true;
  }
  call_in_foreground(__NR_ioctl, STDIN, TCSETS, (unsigned long)&terminal.wanted);
}

void leave_raw_mode(void)
{
  if (!terminal.raw)
    return;
  restore(STDIN);
  terminal.raw = false;
  syscall(__NR_kill, terminal.guardian, SIGKILL);
}

void copy_size(int master)
{
  struct winsize size;
  for (int fd = 0; fd <= 2; fd++)
    if (syscall(__NR_ioctl, fd, TIOCGWINSZ, &size) == 0) {
      if (size.ws_row > 0 && size.ws_col > 0)
        syscall(__NR_ioctl, master, TIOCSWINSZ, &size);
      return;
    }
}
