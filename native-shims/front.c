/* Entry point of the front: who am I, where is Node, which of the two ways to go. */
#include <linux/fcntl.h>
#include <linux/signal.h>

#include "front.h"

#define ACCESS_EXISTS 0
#define ACCESS_EXECUTE 1
#define FEWEST_FILES 32
#define FEWEST_BYTES_AS (700ULL << 20)
#define FEWEST_BYTES_DATA (48ULL << 20)
#define PATH_SIZE 4096
#define SIGNAL_COUNT 64

DEFINE_START(begin);

struct paths {
  char node[PATH_SIZE];
  char bundle[PATH_SIZE];
};

struct words {
  const void *base;
  size_t size;
};

void complain(const char *what, const char *subject)
{
  const struct words parts[] = {
    { "tsrunc: ", 8 },
    { what, string_length(what) },
    { " ", 1 },
    { subject, string_length(subject) },
    { "\n", 1 },
  };
  syscall(__NR_writev, 2, parts, 5);
}

void give_up(const char *what, const char *subject)
{
  complain(what, subject);
  for (;;)
    syscall(__NR_exit_group, 1);
}

static bool is_equal(const char *a, const char *b)
{
  while (*a != 0 && *a == *b) {
    a++;
    b++;
  }
  return *a == *b;
}

/* A global flag whose value is the next word. */
static bool takes_next_word(const char *flag)
{
  static const char *const names[] = { "root",      "log",       "log-format",
                                       "log-level", "rootless",  "cgroup-manager" };
  flag += flag[1] == '-' ? 2 : 1;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (is_equal(flag, names[i]))
      return true;
  return false;
}

/* The first word that is neither a flag nor the value of one; NULL if there is none. */
static const char *find_command(char *const *argv)
{
  if (argv[0] == NULL)
    return NULL;
  char *const *word = argv + 1;
  for (; *word != NULL && (*word)[0] == '-' && (*word)[1] != 0; word++) {
    if (is_equal(*word, "--")) {
      word++;
      break;
    }
    if (takes_next_word(*word) && *++word == NULL)
      return NULL;
  }
  return *word;
}

static bool is_command(const char *command, const char *name)
{
  return command != NULL && is_equal(command, name);
}

static void join_path(char *path, size_t directory_length, const char *name)
{
  size_t length = string_length(name) + 1;
  if (directory_length + length > PATH_SIZE)
    give_up("path too long:", path);
  memcpy(path + directory_length, name, length);
}

/* Paths of Node and of the bundle: `node` beside this program, else that of the build. */
static void find_files(struct paths *paths)
{
  long length = syscall(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", paths->bundle, PATH_SIZE - 1);
  if (length <= 0)
    give_up("cannot read", "/proc/self/exe");
  while (paths->bundle[length - 1] != '/')
    length--;
  memcpy(paths->node, paths->bundle, (size_t)length);
  join_path(paths->bundle, (size_t)length, "tsrunc.cjs");
  join_path(paths->node, (size_t)length, "node");
  if (syscall(__NR_faccessat, AT_FDCWD, paths->bundle, ACCESS_EXISTS) != 0)
    give_up("cannot find", paths->bundle);
  if (syscall(__NR_faccessat, AT_FDCWD, paths->node, ACCESS_EXECUTE) != 0)
    join_path(paths->node, 0, NODE_PATH);
}

/* A file that lands on 0, 1 or 2 would be taken for the container's stdio. */
static void fill_stdio(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (syscall(__NR_fcntl, fd, F_GETFD) < 0 &&
        syscall(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR) < 0)
      give_up("cannot open", "/dev/null");
}

static void record_limits(struct front *front)
{
  for (int i = 0; i < LIMIT_COUNT; i++)
    syscall(__NR_prlimit64, 0, i, NULL, &front->limits[i]);
  /* With fewer Node aborts, and prints its stack. */
  if (front->limits[LIMIT_NOFILE].hard < FEWEST_FILES)
    give_up("too few open files:", "the hard limit RLIMIT_NOFILE must be 32 or more");
  /* Node does the same, but not before its dynamic linker needed a descriptor. */
  struct limit most = { front->limits[LIMIT_NOFILE].hard, front->limits[LIMIT_NOFILE].hard };
  syscall(__NR_prlimit64, 0, LIMIT_NOFILE, &most, NULL);
}

static bool is_below(int limit, uint64_t bytes)
{
  struct limit now;
  return syscall(__NR_prlimit64, 0, limit, NULL, &now) == 0 && now.soft < bytes;
}

/* With less than that every Node aborts without a word, or hangs while it starts. */
static void check_memory(void)
{
  if (is_below(LIMIT_AS, FEWEST_BYTES_AS))
    give_up("too little memory for Node:", "RLIMIT_AS (ulimit -v) is below 700 MiB");
  if (is_below(LIMIT_DATA, FEWEST_BYTES_DATA))
    give_up("too little memory for Node:", "RLIMIT_DATA (ulimit -d) is below 48 MiB");
}

int raise_descriptor(int fd, bool close_on_exec)
{
  static const int bases[] = { 1000, 200, 32, 3 };
  int command = close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD;
  for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
    long raised = syscall(__NR_fcntl, fd, command, bases[i]);
    if (raised >= 0) {
      syscall(__NR_close, fd);
      return (int)raised;
    }
  }
  give_up("too many open files:", "RLIMIT_NOFILE is too low");
}

void unblock_signals(void)
{
  const uint64_t none = 0;
  syscall(__NR_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

static void reset_signal(int signal)
{
  const uint64_t defaults[4] = { 0 };
  syscall(__NR_rt_sigaction, signal, defaults, NULL, sizeof(defaults[0]));
}

void reset_signals(void)
{
  for (int signal = 1; signal <= SIGNAL_COUNT; signal++)
    reset_signal(signal);
  unblock_signals();
}

void keep_children(void)
{
  reset_signal(SIGCHLD);
}

void execute_node(int request)
{
  static struct paths paths;
  find_files(&paths);
  check_memory();
  char digits[12];
  char *number = digits + sizeof(digits) - 1;
  *number = 0;
  do
    *--number = (char)('0' + request % 10);
  while ((request /= 10) > 0);
  /*
   * SIGUSR1 has Node open its inspector, which runs whatever any user of this host sends there as
   * root. No command line of Node 20 turns that off: an address that is nobody's (RFC 1112) does.
   */
  const char *argv[] = { paths.node, "--no-warnings", "--inspect-port=240.0.0.1:9229",
                         paths.bundle, number, NULL };
  /* Nothing of the caller's environment may steer Node: it is data in the request. */
  const char *environment[] = { NULL };
  syscall(__NR_execve, paths.node, argv, environment);
  give_up("cannot execute", paths.node);
}

__attribute__((noreturn, used)) static void begin(void **stack)
{
  static struct front front;
  front.argv = (char *const *)(stack + 1);
  front.environment = front.argv + (uintptr_t)stack[0] + 1;
  fill_stdio();
  record_limits(&front);
  const char *command = find_command(front.argv);
  int request = record_request(&front, front.argv, true);
  if (is_command(command, "run") || is_command(command, "exec"))
    for (;;)
      syscall(__NR_exit_group, supervise(&front, request));
  if (!is_command(command, "serve"))
    ask_resident(request, -1);
  execute_node(request);
}
