/*
 * The foreground supervisor: while the container runs, this is all of ours that remains. Node is a
 * child that creates and starts the container and leaves; as the nearest subreaper the supervisor
 * then is the parent of the container's init.
 */
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/signalfd.h>

#include "front-message.h"
#include "instruction-set.generated.h"
#include "supervisor.h"

#define WAIT_NO_HANG 1
#define SOCKET 3
#define MOST_FDS 0x7fffffff
/* How long Node may work on when somebody wants the container to end, and how often we look. */
#define PATIENCE_MS 5000
#define TURN_MS 500

/* Init's status is known, is not yet known, or went to another parent. */
#define STATUS_RUNNING (-1)
#define STATUS_LOST (-2)

bool poll_sources(struct pollfd *sources, size_t count, int milliseconds)
{
  const int64_t timeout[2] = { milliseconds / 1000, (int64_t)milliseconds % 1000 * 1000000 };
  return syscall(__NR_ppoll, sources, count, milliseconds < 0 ? NULL : timeout, NULL, 0) > 0;
}

static void become_reaper(void)
{
  const uint64_t every = ~(uint64_t)0;
  syscall(__NR_rt_sigprocmask, SIG_SETMASK, &every, NULL, sizeof(every));
  keep_children();
  if (syscall(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1) != 0)
    give_up("cannot become", "a subreaper");
}

__attribute__((noreturn)) static void become_node(int request, int supervisor, int parent)
{
  syscall(__NR_setpgid, 0, 0);
  syscall(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
  /* The parent may have died before the line above. */
  if (syscall(__NR_getppid) != parent)
    give_up("the supervisor", "is gone");
  unblock_signals();
  ask_resident(request, supervisor);
  execute_node(request);
}

/* Starts Node, or who asks the resident planner in its place; its end of the socket pair is in the request, ours is SOCKET. */
static int start_node(int request)
{
  int ends[2];
  if (syscall(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    give_up("cannot create", "a socket pair");
  int theirs = raise_descriptor(ends[1], false);
  int ours = raise_descriptor(ends[0], true);
  record_supervisor(request, theirs);
  int parent = (int)syscall(__NR_getpid);
  long pid = syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0)
    become_node(request, theirs, parent);
  if (pid < 0)
    give_up("cannot create", "a process for Node");
  /* What the caller passed on is Node's and the container's: a pipe that we keep never ends. */
  syscall(__NR_dup3, ours, SOCKET, O_CLOEXEC);
  syscall(__NR_close_range, SOCKET + 1, MOST_FDS, 0);
  return (int)pid;
}

/* They are kept for the init, which is not there yet. */
static bool is_end_wanted(void)
{
  const uint64_t ends = 1ULL << (SIGHUP - 1) | 1ULL << (SIGINT - 1) | 1ULL << (SIGQUIT - 1) |
                        1ULL << (SIGTERM - 1);
  uint64_t pending = 0;
  syscall(__NR_rt_sigpending, &pending, sizeof(pending));
  return (pending & ends) != 0;
}

/* A hook that hangs, or a filesystem, may keep Node for ever: whoever wants an end then gets it. */
static int lose_patience(int patience, int node)
{
  if (!is_end_wanted())
    return patience;
  if (patience > TURN_MS)
    return patience - TURN_MS;
  complain("ended while it was not yet there:", "the container");
  syscall(__NR_pidfd_send_signal, node, SIGKILL, NULL, 0);
  return PATIENCE_MS;
}

/* Waits until Node handed the container over (false) or ended without (true). */
static bool has_ended(int node, struct orders *orders)
{
  struct pollfd sources[] = { { .fd = SOCKET, .events = POLLIN },
                              { .fd = (int)syscall(__NR_pidfd_open, node, 0), .events = POLLIN } };
  if (sources[1].fd < 0)
    give_up("cannot open", "a pidfd of Node");
  int patience = PATIENCE_MS;
  for (bool ended = false; !ended;) {
    if (!poll_sources(sources, 2, TURN_MS))
      patience = lose_patience(patience, sources[1].fd);
    ended = sources[1].revents != 0;
    enum received received;
    while ((received = receive_orders(SOCKET, orders)) == RECEIVED_MESSAGE)
      if (orders->message.kind == KIND_SUPERVISE) {
        syscall(__NR_close, sources[1].fd);
        return false;
      }
    /* A closed socket stays readable for ever. */
    if (received == RECEIVED_END)
      sources[0].fd = -1;
  }
  return true;
}

/* Nothing is seen of the container before its terminal is what it shall be. */
static void open_terminal(struct orders *orders)
{
  int master = orders->descriptors.terminal;
  if (master < 0)
    return;
  orders->descriptors.terminal = -1;
  copy_size(master);
  start_relay(master);
  take_typed_ahead();
  enter_raw_mode();
}

/* Reaps who has ended; the exit status of init, once it is among them. */
static int reap(struct orders *orders)
{
  int status = STATUS_RUNNING;
  for (;;) {
    int wait_status;
    long pid = syscall(__NR_wait4, -1, &wait_status, WAIT_NO_HANG | WAIT_ALL_KINDS, NULL);
    if (pid <= 0)
      return status;
    if (pid == orders->message.pid)
      status = to_exit_status(wait_status);
    /* Node sets terminals back to what it found when it ends: not before that. */
    if (pid == orders->node)
      open_terminal(orders);
    note_reaped(pid);
  }
}

/* A write into a pipe that nobody reads is our own affair. */
static bool is_for_init(const struct signalfd_siginfo *info)
{
  bool resizes = info->ssi_signo == SIGWINCH && relay_master() >= 0;
  bool is_own = info->ssi_pid == (uint32_t)syscall(__NR_getpid);
  return info->ssi_signo != SIGCHLD && !resizes && !is_own;
}

/* A debugger that traces the init takes its status first; the status is ours after that. */
static int await_status(int init)
{
  int wait_status;
  long pid = syscall(__NR_wait4, init, &wait_status, WAIT_ALL_KINDS, NULL);
  return pid == init ? to_exit_status(wait_status) : STATUS_LOST;
}

static void forward_signals(int signals, int init)
{
  struct signalfd_siginfo infos[8];
  long size = syscall(__NR_read, signals, infos, sizeof(infos));
  for (long i = 0; i < size / (long)sizeof(infos[0]); i++) {
    if (is_for_init(&infos[i]))
      syscall(__NR_pidfd_send_signal, init, infos[i].ssi_signo, NULL, 0);
    if (relay_master() < 0)
      continue;
    if (infos[i].ssi_signo == SIGCONT) {
      take_typed_ahead();
      enter_raw_mode();
    }
    if (infos[i].ssi_signo == SIGCONT || infos[i].ssi_signo == SIGWINCH)
      copy_size(relay_master());
  }
}

/* Stands in for the init until it ends: passes on signals and bytes, reaps what falls to us. */
static int watch_init(struct orders *orders, int signals)
{
  enum { SIGNALS, INIT, RELAY, NOTIFY = RELAY + RELAY_SOURCES, COUNT = NOTIFY + NOTIFY_SOURCES };
  int init = orders->descriptors.init;
  struct pollfd sources[COUNT] = { { .fd = signals, .events = POLLIN },
                                   { .fd = init, .events = POLLIN } };
  int status = reap(orders);
  while (status == STATUS_RUNNING) {
    ask_relay(sources + RELAY);
    ask_notify(sources + NOTIFY);
    poll_sources(sources, COUNT, -1);
    serve_relay(sources + RELAY);
    serve_notify(sources + NOTIFY);
    bool ended = sources[INIT].revents != 0;
    /* SIGCHLD among them. */
    if (sources[SIGNALS].revents == 0 && !ended)
      continue;
    forward_signals(signals, init);
    status = reap(orders);
    if (ended && status == STATUS_RUNNING)
      status = await_status(orders->message.pid);
  }
  return status;
}

/* For `wait` and `state`, and before the teardown: who waits meanwhile shall find it. */
static void record_end(const struct orders *orders, int status)
{
  uint32_t end = LANE_ENDED + (uint32_t)status;
  syscall(__NR_pwrite64, orders->page, &end, sizeof(end), orders->page_offset);
}

/* From the handover to init's end. */
static int stand_in(struct orders *orders)
{
  const uint64_t every = ~(uint64_t)0;
  const struct descriptors *given = &orders->descriptors;
  /* Blocked since our first instructions: what came before now is delivered here, too. */
  int signals = (int)syscall(__NR_signalfd4, -1, &every, sizeof(every), SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0)
    give_up("cannot open", "a signalfd");
  if (given->notified >= 0)
    start_notify(given->notified, given->notifies);
  int status = watch_init(orders, signals);
  /* Init was faster than the end of Node. */
  if (given->terminal >= 0)
    start_relay(given->terminal);
  drain_relay(signals);
  leave_raw_mode();
  return status;
}

int supervise(const struct front *front, int request)
{
  static struct orders orders = { .page = -1 };
  start_terminal(front->argv);
  become_reaper();
  orders.node = start_node(request);
  if (has_ended(orders.node, &orders)) {
    int status = wait_for_child(orders.node);
    /* Node undoes what fails; only when it was killed, someone else must. */
    if ((status & 0x7f) != 0 && orders.message.kind == KIND_CREATED)
      run_fallback(front, &orders);
    return to_exit_status(status);
  }
  syscall(__NR_close, SOCKET);
  int status = stand_in(&orders);
  if (status == STATUS_LOST) {
    complain("the exit status of the container", "went to another process");
    status = 1;
  } else {
    record_end(&orders, status);
  }
  tear_down(front, &orders);
  finish_notify();
  return status;
}
