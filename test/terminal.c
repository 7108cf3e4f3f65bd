/*
 * A terminal for tests: runs a program on a pty of its own, in a session of its own.
 *
 *     terminal PROGRAM ARG…
 *
 * What the program writes comes out on stdout. Lines on stdin:
 *
 *     type HEX              bytes of the keyboard
 *     resize ROWS COLUMNS
 *     modes                 answered on fd 3: `modes IFLAG OFLAG LFLAG`, in hex
 *     flags                 answered on fd 3: `flags N`, those of the open file that the program has
 *                           as stdin, stdout and stderr, in hex
 *     close                 closes the terminal
 *
 * On fd 3 it also tells `pid N` of the program, and in the end `exit STATUS` or `signal N`.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { KEYBOARD, SCREEN, PROGRAM, SOURCES };

static int master;
/* Held: the modes of a terminal that nobody has open are forgotten. */
static int slave;

static void resize(unsigned rows, unsigned columns)
{
  struct winsize size = { (unsigned short)rows, (unsigned short)columns, 0, 0 };
  ioctl(master, TIOCSWINSZ, &size);
}

static void type(const char *hex)
{
  char bytes[2048];
  size_t count = 0;
  unsigned byte;
  for (; count < sizeof(bytes) && sscanf(hex, "%2x", &byte) == 1; hex += 2)
    bytes[count++] = (char)byte;
  if (write(master, bytes, count) != (ssize_t)count)
    exit(97);
}

static void obey(const char *line, struct pollfd *sources)
{
  unsigned rows, columns;
  struct termios modes;
  if (strncmp(line, "type ", 5) == 0)
    type(line + 5);
  else if (sscanf(line, "resize %u %u", &rows, &columns) == 2)
    resize(rows, columns);
  else if (strcmp(line, "modes") == 0) {
    tcgetattr(slave, &modes);
    dprintf(3, "modes %x %x %x\n", modes.c_iflag, modes.c_oflag, modes.c_lflag);
  } else if (strcmp(line, "flags") == 0)
    dprintf(3, "flags %x\n", fcntl(slave, F_GETFL));
  else if (strcmp(line, "close") == 0) {
    close(slave);
    close(master);
    sources[SCREEN].fd = -1;
  }
}

static pid_t start(char **argv)
{
  pid_t pid = fork();
  if (pid != 0)
    return pid;
  setsid();
  ioctl(slave, TIOCSCTTY, 0);
  for (int fd = 0; fd <= 2; fd++)
    dup2(slave, fd);
  close_range(3, ~0U, 0);
  execv(argv[0], argv);
  _exit(98);
}

static void copy_screen(void)
{
  char bytes[4096];
  ssize_t size = read(master, bytes, sizeof(bytes));
  if (size > 0 && write(1, bytes, (size_t)size) != size)
    exit(97);
}

static void report_end(pid_t pid)
{
  int status;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status))
    dprintf(3, "exit %d\n", WEXITSTATUS(status));
  else
    dprintf(3, "signal %d\n", WTERMSIG(status));
}

int main(int argc, char **argv)
{
  static char line[8192];
  size_t used = 0;
  if (argc < 2)
    return 96;
  master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  unlockpt(master);
  slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  resize(24, 80);
  pid_t pid = start(argv + 1);
  dprintf(3, "pid %d\n", pid);
  struct pollfd sources[SOURCES] = { { 0, POLLIN, 0 },
                                     { master, POLLIN, 0 },
                                     { (int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0 } };
  for (;;) {
    poll(sources, SOURCES, -1);
    if (sources[SCREEN].revents != 0)
      copy_screen();
    else if (sources[PROGRAM].revents != 0) {
      report_end(pid);
      sources[PROGRAM].fd = -1;
    }
    if (sources[KEYBOARD].revents == 0)
      continue;
    ssize_t size = read(0, line + used, 1);
    if (size <= 0)
      return 0;
    if (line[used] == '\n') {
      line[used] = 0;
      used = 0;
      obey(line, sources);
    } else if (used < sizeof(line) - 2)
      used++;
  }
}
