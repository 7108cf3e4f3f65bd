/* Sync points: what goes to the runtime and what comes back, over the socket in slot 0. */
#include "executor.h"

#include <linux/socket.h>
#include <linux/uio.h>

#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MSG_CTRUNC 0x08
#define MSG_TRUNC 0x20
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000

#define VALUES 3

struct message_header {
  void *name;
  uint32_t name_length;
  struct iovec *vectors;
  uint64_t vector_count;
  void *control;
  uint64_t control_length;
  int32_t flags;
};

struct control_header {
  uint64_t length;
  int32_t level;
  int32_t type;
};

/* Of more fds than there is room for the kernel closes the rest and says MSG_CTRUNC. */
struct control {
  struct control_header header;
  int32_t fds[MEET_FDS_IN];
};

struct meeting {
  uint32_t number;
  uint32_t lane;
  uint32_t fd_count;
  uint32_t zero;
  uint64_t values[VALUES];
};
_Static_assert(sizeof(struct meeting) == MEET_SIZE, "meeting layout");

long post(struct program *program, const struct instruction *instruction)
{
  struct meeting meeting = {.number = instruction->number};
  struct control control = {.header = {.level = SOL_SOCKET, .type = SCM_RIGHTS}};
  meeting.lane = (uint32_t)(((uint8_t *)program->lane - program->status) / LANE_SIZE);
  for (int i = 0; i < VALUES; i++)
    meeting.values[i] = load_operand(program, instruction->operands + i);
  for (int i = VALUES; i < OPERAND_COUNT; i++)
    if (instruction->operands[i].kind != OPERAND_NONE)
      control.fds[meeting.fd_count++] = (int32_t)load_operand(program, instruction->operands + i);
  control.header.length = sizeof control.header + meeting.fd_count * sizeof(int32_t);
  struct iovec vector = {&meeting, sizeof meeting};
  struct message_header message = {.vectors = &vector, .vector_count = 1};
  if (meeting.fd_count > 0) {
    message.control = &control;
    message.control_length = control.header.length;
  }
  long sent;
  do
    sent = syscall(__NR_sendmsg, program->slots[CONTROL_SLOT], &message, MSG_NOSIGNAL);
  while (sent == -EINTR);
  return sent;
}

static uint32_t count_fds(const struct message_header *message, const struct control *control)
{
  if (message->control_length < sizeof control->header || control->header.level != SOL_SOCKET ||
      control->header.type != SCM_RIGHTS || control->header.length < sizeof control->header)
    return 0;
  uint64_t count = (control->header.length - sizeof control->header) / sizeof(int32_t);
  return count > MEET_FDS_IN ? MEET_FDS_IN : (uint32_t)count;
}

static void close_fds(const struct control *control, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++)
    syscall(__NR_close, control->fds[i]);
}

long take_answer(struct program *program, const struct instruction *instruction)
{
  uint32_t verdict[2];
  struct control control = {0};
  struct iovec vectors[] = {{verdict, sizeof verdict},
                            {program->data + instruction->a, instruction->b}};
  struct message_header message = {.vectors = vectors, .vector_count = 2};
  message.control = &control;
  message.control_length = sizeof control;
  long length;
  do
    length = syscall(__NR_recvmsg, program->slots[CONTROL_SLOT], &message, MSG_CMSG_CLOEXEC);
  while (length == -EINTR);
  /* It ended with a message of ours unread. */
  if (length == -ECONNRESET)
    return -ECANCELED;
  if (is_error(length))
    return length;
  uint32_t fd_count = count_fds(&message, &control);
  /* The other side is gone, or it says that this is the end. */
  int ends = length == 0 || (length >= VERDICT_HEADER_SIZE && verdict[0] == VERDICT_ABANDON);
  int is_bad = (message.flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
               length < VERDICT_HEADER_SIZE || verdict[0] > VERDICT_ABANDON ||
               verdict[1] != (uint64_t)length - VERDICT_HEADER_SIZE || fd_count != instruction->d;
  if (ends || is_bad) {
    close_fds(&control, fd_count);
    return ends ? -ECANCELED : -EPROTO;
  }
  for (uint32_t i = 0; i < fd_count; i++)
    program->slots[instruction->c + i] = (uint64_t)control.fds[i];
  if (instruction->slot != NONE)
    program->slots[instruction->slot] = verdict[1];
  return verdict[0] == VERDICT_BRANCH;
}
