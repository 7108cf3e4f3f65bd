/*
 * Runs inside the test containers and prints as JSON what it sees there. Arguments are operations
 * separated by `--`; the output is an array with one value for each:
 *
 *     probe stat /dev/null -- write /proc/sys/kernel/hostname x -- report
 *
 * An operation that fails gives the name of its errno as a string.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <rdma/ib_user_verbs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void print_text(const char *text, size_t length)
{
  putchar('"');
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static void print_string(const char *text)
{
  print_text(text, strlen(text));
}

static void print_errno(void)
{
  print_string(strerrorname_np(errno));
}

static void print_result(long result)
{
  if (result < 0)
    print_errno();
  else
    printf("\"ok\"");
}

static void print_strings(char **strings)
{
  putchar('[');
  for (int i = 0; strings[i] != NULL; i++) {
    if (i > 0)
      putchar(',');
    print_string(strings[i]);
  }
  putchar(']');
}

/* The content of a file, or the errno's name. */
static void print_file(const char *path)
{
  static char content[1 << 18];
  size_t length = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    print_errno();
    return;
  }
  for (;;) {
    ssize_t got = read(fd, content + length, sizeof(content) - length);
    if (got < 0) {
      print_errno();
      close(fd);
      return;
    }
    if (got == 0)
      break;
    length += (size_t)got;
  }
  close(fd);
  print_text(content, length);
}

static void print_link(const char *path)
{
  char target[PATH_MAX];
  ssize_t length = readlink(path, target, sizeof(target));
  if (length < 0)
    print_errno();
  else
    print_text(target, (size_t)length);
}

static void print_stat(const char *path)
{
  struct stat status;
  struct statfs fs;
  if (lstat(path, &status) < 0) {
    print_errno();
    return;
  }
  const char *type = S_ISDIR(status.st_mode)    ? "directory"
                     : S_ISREG(status.st_mode)  ? "file"
                     : S_ISLNK(status.st_mode)  ? "link"
                     : S_ISCHR(status.st_mode)  ? "char"
                     : S_ISBLK(status.st_mode)  ? "block"
                     : S_ISFIFO(status.st_mode) ? "fifo"
                                                : "socket";
  printf("{\"type\":\"%s\",\"mode\":\"%o\",\"uid\":%u,\"gid\":%u,\"size\":%lld,\"major\":%u,"
         "\"minor\":%u",
         type, status.st_mode & 07777, status.st_uid, status.st_gid, (long long)status.st_size,
         major(status.st_rdev), minor(status.st_rdev));
  if (S_ISLNK(status.st_mode)) {
    printf(",\"target\":");
    print_link(path);
  }
  if (statfs(path, &fs) == 0)
    printf(",\"magic\":\"%lx\",\"flags\":%lu", (unsigned long)fs.f_type,
           (unsigned long)fs.f_flags);
  putchar('}');
}

static void print_directory(const char *path)
{
  DIR *directory = opendir(path);
  if (directory == NULL) {
    print_errno();
    return;
  }
  struct dirent *entry;
  int count = 0;
  putchar('[');
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (count++ > 0)
      putchar(',');
    print_string(entry->d_name);
  }
  putchar(']');
  closedir(directory);
}

static void print_capabilities(void)
{
  struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct data[2] = { 0 };
  uint64_t bounding = 0, ambient = 0;
  syscall(SYS_capget, &header, data);
  for (int cap = 0; cap < 64; cap++) {
    if (prctl(PR_CAPBSET_READ, cap) == 1)
      bounding |= 1ULL << cap;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
      ambient |= 1ULL << cap;
  }
#define SET(field) ((uint64_t)data[1].field << 32 | data[0].field)
  printf("{\"effective\":\"%llx\",\"permitted\":\"%llx\",\"inheritable\":\"%llx\","
         "\"bounding\":\"%llx\",\"ambient\":\"%llx\"}",
         (unsigned long long)SET(effective), (unsigned long long)SET(permitted),
         (unsigned long long)SET(inheritable), (unsigned long long)bounding,
         (unsigned long long)ambient);
}

static void print_limits(void)
{
  putchar('[');
  for (int i = 0; i < 16; i++) {
    struct rlimit limit;
    getrlimit((__rlimit_resource_t)i, &limit);
    printf("%s[\"%llu\",\"%llu\"]", i > 0 ? "," : "", (unsigned long long)limit.rlim_cur,
           (unsigned long long)limit.rlim_max);
  }
  putchar(']');
}

/* Without /proc, so that it also works in a container that has none. */
static void print_descriptors(void)
{
  int count = 0;
  putchar('[');
  for (int fd = 0; fd < 4096; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      printf("%s%d", count++ > 0 ? "," : "", fd);
  putchar(']');
}

static void print_namespaces(void)
{
  static const char *const names[] = { "pid",  "net",  "mnt",    "ipc",
                                       "uts",  "user", "cgroup", "time" };
  putchar('{');
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
    printf("%s\"%s\":", i > 0 ? "," : "", names[i]);
    print_link(path);
  }
  putchar('}');
}

static void print_keyring(void)
{
  char description[256];
  /* KEYCTL_DESCRIBE of KEY_SPEC_SESSION_KEYRING */
  long length = syscall(SYS_keyctl, 6L, -3L, description, sizeof(description) - 1, 0L);
  if (length < 0) {
    print_errno();
    return;
  }
  description[sizeof(description) - 1] = 0;
  const char *name = strrchr(description, ';');
  print_string(name == NULL ? description : name + 1);
}

static void print_signals(void)
{
  sigset_t mask;
  int count = 0;
  printf("\"blocked\":[");
  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int sig = 1; sig < 65; sig++)
    if (sigismember(&mask, sig) == 1)
      printf("%s%d", count++ > 0 ? "," : "", sig);
  printf("],\"ignored\":[");
  count = 0;
  for (int sig = 1; sig < 65; sig++) {
    struct sigaction action;
    if (sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
      printf("%s%d", count++ > 0 ? "," : "", sig);
  }
  printf("]");
}

static void print_ids(void)
{
  gid_t groups[256];
  uid_t uid[3];
  gid_t gid[3];
  getresuid(&uid[0], &uid[1], &uid[2]);
  getresgid(&gid[0], &gid[1], &gid[2]);
  int count = getgroups(256, groups);
  printf("\"uids\":[%u,%u,%u],\"gids\":[%u,%u,%u],\"groups\":[", uid[0], uid[1], uid[2], gid[0],
         gid[1], gid[2]);
  for (int i = 0; i < count; i++)
    printf("%s%u", i > 0 ? "," : "", groups[i]);
  putchar(']');
}

static char **all_arguments;

static void print_report(void)
{
  char path[PATH_MAX];
  struct utsname uts;
  mode_t mask = umask(0);
  umask(mask);
  uname(&uts);
  printf("{\"pid\":%d,\"ppid\":%d,\"sid\":%d,\"pgid\":%d,", getpid(), getppid(), getsid(0),
         getpgid(0));
  print_ids();
  printf(",\"capabilities\":");
  print_capabilities();
  printf(",\"limits\":");
  print_limits();
  printf(",\"umask\":\"%o\",\"noNewPrivileges\":%d,\"seccomp\":%d,", mask,
         prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_SECCOMP));
  print_signals();
  printf(",\"cwd\":");
  print_string(getcwd(path, sizeof(path)) == NULL ? strerrorname_np(errno) : path);
  printf(",\"hostname\":");
  print_string(uts.nodename);
  printf(",\"domainname\":");
  print_string(uts.domainname);
  printf(",\"args\":");
  print_strings(all_arguments);
  printf(",\"env\":");
  print_strings(environ);
  printf(",\"fds\":");
  print_descriptors();
  printf(",\"namespaces\":");
  print_namespaces();
  printf(",\"keyring\":");
  print_keyring();
  printf(",\"oomScoreAdj\":");
  print_file("/proc/self/oom_score_adj");
  printf(",\"mounts\":");
  print_file("/proc/self/mountinfo");
  printf(",\"cgroup\":");
  print_file("/proc/self/cgroup");
  putchar('}');
}

/* What the process is to the scheduler, to memory management and to uname. */
static void print_attributes(void)
{
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } scheduler = { .size = 48 };
  struct utsname uts;
  unsigned long nodes[16] = { 0 };
  int mode = -1;
  uname(&uts);
  if (syscall(SYS_sched_getattr, 0, &scheduler, sizeof(scheduler), 0) < 0)
    scheduler.policy = 99;
  if (syscall(SYS_get_mempolicy, &mode, nodes, 1024UL, NULL, 0) < 0)
    mode = -1;
  printf("{\"policy\":%u,\"flags\":%llu,\"nice\":%d,\"priority\":%u,\"runtime\":%llu,"
         "\"deadline\":%llu,\"period\":%llu,",
         scheduler.policy, (unsigned long long)scheduler.flags, scheduler.nice,
         scheduler.priority, (unsigned long long)scheduler.runtime,
         (unsigned long long)scheduler.deadline, (unsigned long long)scheduler.period);
  long io = syscall(SYS_ioprio_get, 1, 0);
  printf("\"ioClass\":%ld,\"ioPriority\":%ld,\"memoryMode\":%d,\"memoryNodes\":%lu,"
         "\"machine\":\"%s\"}",
         io >> 13, io & 0x1fff, mode, nodes[0], uts.machine);
}

static void write_text(const char *path, const char *text, int flags)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0666);
  if (fd < 0) {
    print_errno();
    return;
  }
  print_result(write(fd, text, strlen(text)));
  close(fd);
}

/* Opens as the flags say and reads or writes nothing: what a device filter lets through. */
static void open_path(const char *path, const char *how)
{
  int flags = strcmp(how, "rw") == 0 ? O_RDWR : strcmp(how, "w") == 0 ? O_WRONLY : O_RDONLY;
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  print_result(fd);
  if (fd >= 0)
    close(fd);
}

static ssize_t command_verbs(int fd, uint32_t command, uint16_t answer_words)
{
  uint32_t answer[8];
  struct {
    struct ib_uverbs_cmd_hdr header;
    uint64_t answer;
  } request = { { command, sizeof(request) / 4, answer_words }, (uintptr_t)answer };
  return write(fd, &request, sizeof(request));
}

/* A context of an RDMA device, which stays: the protection domains that can be made in it, up to 16. */
static void open_verbs(const char *path)
{
  int made = 0, fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0 || command_verbs(fd, IB_USER_VERBS_CMD_GET_CONTEXT, 2) < 0) {
    print_errno();
    return;
  }
  while (made < 16 && command_verbs(fd, IB_USER_VERBS_CMD_ALLOC_PD, 1) > 0)
    made++;
  printf("%d", made);
}

static void make_node(const char *path, const char *type, const char *major_, const char *minor_)
{
  mode_t kind = type[0] == 'b' ? S_IFBLK : type[0] == 'p' ? S_IFIFO : S_IFCHR;
  print_result(mknod(path, kind | 0600, makedev((unsigned)atoi(major_), (unsigned)atoi(minor_))));
}

/* Touches memory page by page in a child: an OOM kill shows as its end. */
static void use_memory(const char *mebibytes)
{
  size_t size = (size_t)atol(mebibytes) << 20;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char *memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      _exit(1);
    /* In one call: a fault for each page takes minutes where the kernel is a process itself. */
    if (madvise(memory, size, MADV_POPULATE_WRITE) < 0)
      for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0)
    print_errno();
  else if (WIFSIGNALED(status))
    printf("\"killed by %d\"", WTERMSIG(status));
  else
    printf("\"%s\"", WEXITSTATUS(status) == 0 ? "ok" : "ENOMEM");
}

/* How many of n children could be forked. */
static void fork_children(const char *count)
{
  int wanted = atoi(count), made = 0;
  pid_t children[256];
  fflush(stdout);
  while (made < wanted && made < 256) {
    pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0)
      break;
    children[made++] = child;
  }
  for (int i = 0; i < made; i++) {
    kill(children[i], SIGKILL);
    waitpid(children[i], NULL, 0);
  }
  printf("%d", made);
}

/* CPU time that this process got while `milliseconds` of wall clock went by. */
static void burn(const char *milliseconds)
{
  struct timespec begin, now, used;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do
    clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 <
         atol(milliseconds));
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  printf("%ld", used.tv_sec * 1000 + used.tv_nsec / 1000000);
}

/* What came to the socket of `receive` so far. */
static struct {
  int listening, peer, connections, messages, fds;
} received = { -1, -1, 0, 0, 0 };

/* One message on the connection and the last of its fds; 0: the end. */
static ssize_t receive_message(char *text, size_t capacity, int *fd)
{
  char control[CMSG_SPACE(8 * sizeof(int))];
  struct iovec part = { text, capacity };
  struct msghdr message = { .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof(control) };
  ssize_t size = recvmsg(received.peer, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = size < 0 ? NULL : CMSG_FIRSTHDR(&message);
  if (size > 0)
    received.messages++;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    received.fds += (int)count;
    memcpy(fd, CMSG_DATA(header) + (count - 1) * sizeof(int), sizeof(*fd));
  }
  return size;
}

/* Listens at a unix socket for one message with one fd, and tells what that is. */
static void receive(const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  char text[4096], link[64], target[256] = "";
  int fd = -1;
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  alarm(20);
  received.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(received.listening, (struct sockaddr *)&address, sizeof(address)) < 0 ||
      listen(received.listening, 8) < 0 ||
      (received.peer = accept(received.listening, NULL, NULL)) < 0) {
    print_errno();
    return;
  }
  received.connections = 1;
  ssize_t size = receive_message(text, sizeof(text), &fd);
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  if (readlink(link, target, sizeof(target) - 1) < 0)
    strcpy(target, strerrorname_np(errno));
  printf("{\"bytes\":%zd,\"link\":", size);
  print_string(target);
  snprintf(link, sizeof(link), "/proc/self/fdinfo/%d", fd);
  printf(",\"info\":");
  print_file(link);
  putchar('}');
  /* Read while later operations keep the fd open. */
  fflush(stdout);
}

/*
 * After `receive`, and once stdin ends, which tells that the sender is gone: how many connections,
 * messages and fds there were. A message with an fd is never read together with the next one.
 */
static void count_received(void)
{
  char text[4096];
  int fd;
  while (read(0, text, sizeof(text)) > 0)
    ;
  do
    while (receive_message(text, sizeof(text), &fd) > 0)
      ;
  while (poll(&(struct pollfd){ received.listening, POLLIN, 0 }, 1, 0) == 1 &&
         (received.peer = accept(received.listening, NULL, NULL)) >= 0 &&
         received.connections++ > 0);
  printf("{\"connections\":%d,\"messages\":%d,\"fds\":%d}", received.connections,
         received.messages, received.fds);
  fflush(stdout);
}

/* Sends one datagram; `\\n` in it is a newline. */
static void notify(const char *path, const char *words)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  char text[256];
  size_t size = 0;
  for (; *words != 0 && size < sizeof(text); words++) {
    int is_newline = words[0] == '\\' && words[1] == 'n';
    text[size++] = is_newline ? '\n' : *words;
    words += is_newline;
  }
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sendto(fd, text, size, 0, (struct sockaddr *)&address, sizeof(address)) < 0)
    print_errno();
  else
    printf("\"sent\"");
  close(fd);
}

/* The datagrams that come to a socket, up to the one that has an fd, which it closes. */
static void take_notifications(const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int listening = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd = -1;
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  alarm(60);
  if (bind(listening, (struct sockaddr *)&address, sizeof(address)) < 0) {
    print_errno();
    return;
  }
  for (putchar('['); fd < 0;) {
    char text[4096], control[CMSG_SPACE(sizeof(int))];
    struct iovec part = { text, sizeof(text) - 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof(control) };
    ssize_t size = recvmsg(listening, &message, MSG_CMSG_CLOEXEC);
    text[size > 0 ? size : 0] = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
      memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    print_string(text);
    if (fd < 0)
      putchar(',');
  }
  putchar(']');
  close(fd);
}

/*
 * An agent of SCMP_ACT_NOTIFY: takes the listener at a unix socket, answers one system call with
 * ENOANO, and tells what it was sent.
 */
static void answer(const char *path)
{
  static char text[1 << 16];
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec part = { text, sizeof(text) - 1 };
  struct msghdr message = { .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof(control) };
  struct seccomp_notif call = { 0 };
  struct seccomp_notif_resp response = { 0 };
  int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer, fd = -1;
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  alarm(30);
  if (bind(listening, (struct sockaddr *)&address, sizeof(address)) < 0 ||
      listen(listening, 1) < 0 || (peer = accept(listening, NULL, NULL)) < 0 ||
      recvmsg(peer, &message, MSG_CMSG_CLOEXEC) < 0) {
    print_errno();
    return;
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS)
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
    print_errno();
    return;
  }
  response.id = call.id;
  response.error = -ENOANO;
  int sent = ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
  printf("{\"sent\":%d,\"syscall\":%d,\"pid\":%u,\"message\":", sent, call.data.nr, call.pid);
  print_string(text);
  putchar('}');
}

static volatile sig_atomic_t got;

static void remember(int sig)
{
  got = sig;
}

/* Says that it is ready, waits for any signal (at most 20 s) and exits with 100 + its number. */
static void trap(void)
{
  sigset_t all, old;
  struct sigaction action = { .sa_handler = remember };
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  for (int sig = 1; sig < 65; sig++)
    sigaction(sig, &action, NULL);
  alarm(20);
  printf("\"ready\"]\n");
  fflush(stdout);
  sigemptyset(&old);
  while (got == 0)
    sigsuspend(&old);
  exit(got == SIGALRM ? 99 : 100 + got);
}

/* Stays with n children until it is signalled, at most 60 s. */
static void hold(const char *count)
{
  for (int i = 0; i < atoi(count); i++)
    if (fork() == 0) {
      pause();
      _exit(0);
    }
  alarm(60);
  printf("\"ready\"]\n");
  fflush(stdout);
  pause();
}

static void *wait_for_signals(void *nothing)
{
  for (;;)
    pause();
  return nothing;
}

/* The first thread leaves and a second one stays: /proc calls the process a zombie. */
static void leave_alone(void)
{
  pthread_t thread;
  printf("\"ready\"]\n");
  fflush(stdout);
  if (pthread_create(&thread, NULL, wait_for_signals, NULL) == 0)
    pthread_exit(NULL);
}

static volatile sig_atomic_t resized = 1;

static void note_size(int sig)
{
  (void)sig;
  resized = 1;
}

/*
 * What an editor does: the alternate screen, its size in the middle of it and again whenever it
 * changes, each byte of the keyboard in hex as soon as it comes; q leaves, as it was before.
 */
static void edit(void)
{
  struct sigaction action = { .sa_handler = note_size };
  struct termios before, raw;
  struct winsize size;
  unsigned char byte = 0;
  sigset_t winch, old;
  /* Delivered while we wait, and at no other time. */
  sigemptyset(&winch);
  sigaddset(&winch, SIGWINCH);
  sigprocmask(SIG_BLOCK, &winch, &old);
  sigaction(SIGWINCH, &action, NULL);
  tcgetattr(0, &before);
  raw = before;
  cfmakeraw(&raw);
  tcsetattr(0, TCSADRAIN, &raw);
  printf("\x1b[?1049h\x1b[2J");
  for (alarm(20); byte != 'q';) {
    if (resized && ioctl(0, TIOCGWINSZ, &size) == 0)
      printf("\x1b[%d;1H%dx%d", size.ws_row / 2, size.ws_row, size.ws_col);
    resized = 0;
    fflush(stdout);
    struct pollfd keyboard = { 0, POLLIN, 0 };
    if (ppoll(&keyboard, 1, NULL, &old) == 1 && read(0, &byte, 1) == 1)
      printf("<%02x>", byte);
  }
  printf("\x1b[?1049l");
  fflush(stdout);
  tcsetattr(0, TCSADRAIN, &before);
  putchar('0');
}

static void run_operation(int count, char **words)
{
  const char *name = words[0];
  const char *first = count > 1 ? words[1] : "";
#define IS(command, arguments) (strcmp(name, command) == 0 && count >= (arguments) + 1)
  if (IS("report", 0))
    print_report();
  else if (IS("attributes", 0))
    print_attributes();
  else if (IS("stat", 1))
    print_stat(first);
  else if (IS("read", 1))
    print_file(first);
  else if (IS("list", 1))
    print_directory(first);
  else if (IS("write", 2))
    write_text(first, words[2], 0);
  else if (IS("create", 2))
    write_text(first, words[2], O_CREAT | O_TRUNC);
  else if (IS("open", 2))
    open_path(first, words[2]);
  else if (IS("verbs", 1))
    open_verbs(first);
  else if (IS("mknod", 4))
    make_node(first, words[2], words[3], words[4]);
  else if (IS("mkdir", 1))
    print_result(mkdir(first, 0777));
  else if (IS("exec", 1))
    print_result(access(first, X_OK));
  else if (IS("input", 0))
    print_file("/dev/stdin");
  else if (IS("memory", 1))
    use_memory(first);
  else if (IS("fork", 1))
    fork_children(first);
  else if (IS("burn", 1))
    burn(first);
  else if (IS("syscall", 1))
    print_result(syscall(atol(first), 0, 0, 0, 0, 0, 0));
  else if (IS("sethostname", 1))
    print_result(sethostname(first, strlen(first)));
  else if (IS("receive", 1))
    receive(first);
  else if (IS("received", 0))
    count_received();
  else if (IS("notify", 2))
    notify(first, words[2]);
  else if (IS("notifications", 1))
    take_notifications(first);
  else if (IS("answer", 1))
    answer(first);
  else if (IS("trap", 0))
    trap();
  else if (IS("leave", 0))
    leave_alone();
  else if (IS("hold", 1))
    hold(first);
  else if (IS("edit", 0))
    edit();
  else if (IS("sleep", 1))
    printf("%u", sleep((unsigned)atoi(first)));
  else if (IS("exit", 1)) {
    printf("null]\n");
    fflush(stdout);
    exit(atoi(first));
  } else if (IS("vanish", 1))
    /* Without a word. */
    _exit(atoi(first));
  else if (IS("signal", 1)) {
    printf("null]\n");
    fflush(stdout);
    /* The first process of a pid namespace cannot kill itself: its child is no better. */
    raise(atoi(first));
  } else
    printf("\"unknown operation %s\"", name);
}

int main(int argc, char **argv)
{
  all_arguments = argv;
  putchar('[');
  for (int begin = 1; begin < argc;) {
    int end = begin;
    while (end < argc && strcmp(argv[end], "--") != 0)
      end++;
    if (end > begin)
      run_operation(end - begin, argv + begin);
    begin = end + 1;
    if (begin < argc)
      putchar(',');
  }
  printf("]\n");
  return 0;
}
