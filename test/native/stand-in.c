/*
 * Stands in for three programs in tests of the front and the supervisor. As `node` it copies its
 * request to files beside itself and then does what the words after the command ask for, so that a
 * test writes `tsrunc run exit 7`. As `tsrunc-teardown` (an executor) it writes what it was given
 * into the file that its program names. It executes another program for `--without-arguments FILE`
 * and, with SIGCHLD ignored, for `--ignoring-children FILE WORD…`.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char directory[PATH_MAX];
static int supervisor = -1;
static pid_t init_pid;
static int init_pidfd = -1;
static int terminal = -1;

static char *beside(const char *name)
{
  static char path[PATH_MAX + 64];
  snprintf(path, sizeof(path), "%s/%s", directory, name);
  return path;
}

static void check(int good, const char *what)
{
  if (good)
    return;
  perror(what);
  exit(99);
}

/* What this process has, one thing a line. */
static void describe_self(FILE *out, char **argv)
{
  for (; *argv != NULL; argv++)
    fprintf(out, "argument %s\n", *argv);
  for (char **variable = environ; *variable != NULL; variable++)
    fprintf(out, "variable %s\n", *variable);
  for (int fd = 0; fd < 2048; fd++) {
    char link[64], target[PATH_MAX] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fd != fileno(out) && readlink(link, target, sizeof(target) - 1) > 0)
      fprintf(out, "descriptor %d %s\n", fd, target);
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  fprintf(out, "nofile %lu\n", (unsigned long)files.rlim_cur);
  uint64_t blocked = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &blocked, sizeof(blocked));
  fprintf(out, "blocked %lx\n", (unsigned long)blocked);
  fprintf(out, "group %s\n", getpgrp() == getpid() ? "own" : "inherited");
}

static FILE *create_file(const char *path)
{
  FILE *out = fopen(path, "we");
  check(out != NULL, path);
  return out;
}

static void append_number(const char *path, int number)
{
  FILE *out = fopen(path, "ae");
  check(out != NULL, path);
  fprintf(out, "%d\n", number);
  fclose(out);
}

static int act_as_executor(char **argv)
{
  char program[PATH_MAX + 4] = "";
  check(pread(3, program, sizeof(program) - 1, 0) > 2, "program");
  /* Written under another name first: a test waits for the file. */
  FILE *out = create_file(program + 2);
  describe_self(out, argv);
  fclose(out);
  check(pwrite(5, "done", 4, 0) == 4, "status");
  return program[0] - '0';
}

/* An init that notes each signal in a file, and leaves with 42 when it is SIGTERM. */
static void note_signals(const char *path)
{
  uint64_t every = ~(uint64_t)0;
  /* A test waits until no `node` is left. */
  prctl(PR_SET_NAME, "init");
  append_number(path, 0);
  for (;;) {
    int number = syscall(SYS_rt_sigtimedwait, &every, NULL, NULL, sizeof(every));
    append_number(path, number);
    if (number == SIGTERM)
      exit(42);
  }
}

static void start_init(char **command, int notes)
{
  int channel[2];
  check(pipe2(channel, O_CLOEXEC) == 0, "pipe");
  pid_t stage = fork();
  if (stage == 0) {
    uint64_t mask = notes ? ~(uint64_t)0 : 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
    pid_t pid = fork();
    if (pid != 0) {
      check(write(channel[1], &pid, sizeof(pid)) == sizeof(pid), "write");
      _exit(0);
    }
    close_range(3, ~0U, 0);
    if (notes)
      note_signals(*command);
    execl("/bin/sh", "sh", "-c", *command, NULL);
    _exit(98);
  }
  check(read(channel[0], &init_pid, sizeof(init_pid)) == sizeof(init_pid), "read");
  waitpid(stage, NULL, 0);
  init_pidfd = syscall(SYS_pidfd_open, init_pid, 0);
  check(init_pidfd >= 0, "pidfd_open");
  append_number(beside("init"), init_pid);
}

/* A debugger of init, which takes its time before it reaps what it saw end. */
static void trace_init(void)
{
  int channel[2];
  check(pipe2(channel, O_CLOEXEC) == 0, "pipe");
  if (fork() == 0) {
    check(ptrace(PTRACE_SEIZE, init_pid, NULL, NULL) == 0, "ptrace");
    close_range(0, channel[1] - 1, 0);
    close_range(channel[1], ~0U, 0);
    siginfo_t info;
    waitid(P_PID, init_pid, &info, WEXITED | WNOWAIT | __WALL);
    usleep(300000);
    _exit(0);
  }
  close(channel[1]);
  char byte;
  check(read(channel[0], &byte, 1) == 0, "read");
}

/* The same on a pty, in a session of its own. */
static int start_on_terminal(const char *command)
{
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  check(master >= 0 && unlockpt(master) == 0, "pty");
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  check(slave >= 0, "slave");
  struct winsize size = { 7, 7, 0, 0 };
  ioctl(master, TIOCSWINSZ, &size);
  pid_t stage = fork();
  if (stage == 0) {
    init_pid = fork();
    if (init_pid == 0) {
      setsid();
      ioctl(slave, TIOCSCTTY, 0);
      for (int fd = 0; fd <= 2; fd++)
        dup2(slave, fd);
      close_range(3, ~0U, 0);
      execl("/bin/sh", "sh", "-c", command, NULL);
      _exit(98);
    }
    append_number(beside("init"), init_pid);
    _exit(0);
  }
  waitpid(stage, NULL, 0);
  FILE *in = fopen(beside("init"), "re");
  check(in != NULL && fscanf(in, "%d", &init_pid) == 1, "init");
  fclose(in);
  init_pidfd = syscall(SYS_pidfd_open, init_pid, 0);
  close(slave);
  return master;
}

static void send_message(const char *file, const int *fds, size_t count)
{
  static char bytes[65536];
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  ssize_t size = read(fd, bytes, sizeof(bytes));
  check(size >= 0, file);
  if (size >= 8 && bytes[0] == 1)
    memcpy(bytes + 4, &init_pid, sizeof(init_pid));
  struct iovec vector = { bytes, size };
  char control[CMSG_SPACE(8 * sizeof(int))] = "";
  struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
  if (count > 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
  }
  check(sendmsg(supervisor, &header, 0) == size, "sendmsg");
}

/* The teardown program: `CODE FILE`. */
static void send_teardown(const char *file, const char *code, const char *output)
{
  int executable = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int executor = memfd_create("executor", MFD_CLOEXEC);
  struct stat status;
  check(fstat(executable, &status) == 0, "fstat");
  check(sendfile(executor, executable, NULL, status.st_size) == status.st_size, "sendfile");
  int program = memfd_create("program", MFD_CLOEXEC);
  dprintf(program, "%s %s", code, output);
  int page = open(beside("status"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  /* A file that is open for writing cannot be executed. */
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", executor);
  int sealed = open(link, O_RDONLY | O_CLOEXEC);
  close(executor);
  const int fds[] = { init_pidfd, sealed, program, page };
  send_message(file, fds, 4);
}

static void send_page(const char *file)
{
  int page = open(beside("page"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  send_message(file, &page, 1);
  close(page);
}

static void wait_for_file(const char *path)
{
  for (int i = 0; i < 500 && access(path, F_OK) != 0; i++)
    usleep(10000);
}

static void obey(char **word)
{
  for (; *word != NULL; word++) {
    if (strcmp(*word, "exit") == 0)
      exit(atoi(*++word));
    else if (strcmp(*word, "die") == 0)
      raise(atoi(*++word));
    else if (strcmp(*word, "sleep") == 0)
      usleep(atoi(*++word) * 1000);
    else if (strcmp(*word, "wait") == 0)
      wait_for_file(*++word);
    else if (strcmp(*word, "signal") == 0)
      kill(getppid(), atoi(*++word));
    else if (strcmp(*word, "hang-up") == 0)
      close(supervisor);
    else if (strcmp(*word, "init") == 0)
      start_init(++word, 0);
    else if (strcmp(*word, "trace") == 0)
      trace_init();
    else if (strcmp(*word, "noting-init") == 0)
      start_init(++word, 1);
    else if (strcmp(*word, "send") == 0)
      send_message(*++word, NULL, 0);
    else if (strcmp(*word, "send-page") == 0)
      send_page(*++word);
    else if (strcmp(*word, "hand-over") == 0)
      send_message(*++word, &init_pidfd, 1);
    else if (strcmp(*word, "terminal-init") == 0)
      terminal = start_on_terminal(*++word);
    else if (strcmp(*word, "hand-over-terminal") == 0)
      send_message(*++word, (int[]){ init_pidfd, terminal }, 2);
    else if (strcmp(*word, "hand-over-two") == 0)
      send_message(*++word, (int[]){ init_pidfd, 0 }, 2);
    else if (strcmp(*word, "hand-over-teardown") == 0) {
      send_teardown(word[1], word[2], word[3]);
      word += 3;
    }
  }
}

static int act_as_node(int argc, char **argv)
{
  static char bytes[4 << 20];
  int request = atoi(argv[argc - 1]);
  ssize_t size = pread(request, bytes, sizeof(bytes), 0);
  check(size >= 288, "request");
  int again = access(beside("request"), F_OK) == 0;
  FILE *out = create_file(beside(again ? "request.again" : "request"));
  fwrite(bytes, 1, size, out);
  fclose(out);
  out = create_file(beside(again ? "seen.again" : "seen"));
  describe_self(out, argv);
  fclose(out);
  if (again)
    return 0;
  uint32_t arguments, descriptors;
  memcpy(&arguments, bytes + 8, sizeof(arguments));
  memcpy(&descriptors, bytes + 16, sizeof(descriptors));
  memcpy(&supervisor, bytes + 20, sizeof(supervisor));
  char **words = calloc(arguments + 1, sizeof(char *));
  char *word = bytes + 288 + descriptors * 4;
  for (uint32_t i = 0; i < arguments; i++, word += strlen(word) + 1)
    words[i] = word;
  if (arguments > 2)
    obey(words + 2);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc > 2 && strcmp(argv[1], "--without-arguments") == 0) {
    execve(argv[2], (char *[]){ NULL }, environ);
    return 98;
  }
  if (argc > 2 && strcmp(argv[1], "--ignoring-children") == 0) {
    signal(SIGCHLD, SIG_IGN);
    execv(argv[2], argv + 2);
    return 98;
  }
  if (strcmp(argv[0], "tsrunc-teardown") == 0)
    return act_as_executor(argv);
  check(readlink("/proc/self/exe", directory, sizeof(directory) - 1) > 0, "readlink");
  dirname(directory);
  return act_as_node(argc, argv);
}
