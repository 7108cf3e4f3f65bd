/* What the supervisor does once the container's init has ended. */
#include <linux/fcntl.h>
#include <linux/signal.h>

#include "supervisor.h"


/* The executor's own numbers: src/lower/instruction-set.ts. */
#define FD_PROGRAM 3
#define FD_CONTROL 4
#define FD_STATUS 5

int to_exit_status(int wait_status)
{
  int signal = wait_status & 0x7f;
  return signal == 0 ? wait_status >> 8 & 0xff : 128 + signal;
}

int wait_for_child(long pid)
{
  while (pid > 0) {
    int status;
    long reaped = syscall(__NR_wait4, -1, &status, WAIT_ALL_KINDS, NULL);
    if (reaped == pid)
      return status;
    /* Nothing interrupts it: every signal is blocked. So there is no such child. */
    if (reaped < 0)
      break;
  }
  return 0xff00;
}

__attribute__((noreturn)) static void execute_teardown(const struct front *front,
                                                       const struct descriptors *given)
{
  int executor = raise_descriptor(given->executor, true);
  int program = raise_descriptor(given->program, true);
  int status = raise_descriptor(given->status, true);
  /* The executor insists on a control socket; a teardown program never meets. */
  int control = (int)syscall(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  control = raise_descriptor(control, true);
  syscall(__NR_dup3, program, FD_PROGRAM, 0);
  syscall(__NR_dup3, control, FD_CONTROL, 0);
  syscall(__NR_dup3, status, FD_STATUS, 0);
  /* Not in the terminal's foreground group: Ctrl-C shall not leave half of a container. */
  syscall(__NR_setpgid, 0, 0);
  syscall(__NR_prlimit64, 0, LIMIT_NOFILE, &front->limits[LIMIT_NOFILE], NULL);
  reset_signals();
  const char *argv[] = { "tsrunc-teardown", NULL };
  const char *environment[] = { NULL };
  syscall(__NR_execveat, executor, "", argv, environment, AT_EMPTY_PATH);
  give_up("cannot execute", "the teardown program");
}

void run_fallback(const struct front *front, const struct orders *orders)
{
  char *argv[FALLBACK_MAX + 2] = { front->argv[0] };
  const char *string = orders->message.strings;
  for (uint32_t i = 0; i < orders->message.count; i++) {
    argv[i + 1] = (char *)string;
    string += string_length(string) + 1;
  }
  int request = record_request(front, argv, false);
  long pid = syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    syscall(__NR_setpgid, 0, 0);
    unblock_signals();
    execute_node(request);
  }
  syscall(__NR_close, request);
  wait_for_child(pid);
}

void tear_down(const struct front *front, const struct orders *orders)
{
  if (orders->descriptors.executor < 0)
    return;
  long pid = syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0)
    execute_teardown(front, &orders->descriptors);
  if (wait_for_child(pid) != 0)
    run_fallback(front, orders);
}
