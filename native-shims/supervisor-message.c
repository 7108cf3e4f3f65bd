/* Messages from Node to the supervisor. */
#include <linux/errno.h>

#include "front-message.h"
#include "supervisor.h"

static bool has_strings(const struct message *message, size_t size)
{
  uint32_t count = 0;
  for (size_t i = 0; i < size; i++)
    count += message->strings[i] == 0;
  return count == message->count && count <= FALLBACK_MAX &&
         (size == 0 || message->strings[size - 1] == 0);
}

static bool is_known(const struct message *message)
{
  const uint32_t known = GIVEN_TEARDOWN | GIVEN_TERMINAL | GIVEN_NOTIFY;
  if (message->kind == KIND_CREATED)
    return message->pid >= 0 && (message->given & ~(uint32_t)GIVEN_PAGE) == 0;
  return message->kind == KIND_SUPERVISE && message->pid > 0 && (message->given & ~known) == 0;
}

/* Whether there are as many as the message says. */
static bool take_descriptors(const struct message *message, const struct control *control,
                             size_t size, struct descriptors *taken)
{
  const struct descriptors none = { -1, -1, -1, -1, -1, -1, -1, -1 };
  const int *next = control->descriptors;
  *taken = none;
  if (message->kind == KIND_SUPERVISE)
    taken->init = *next++;
  if (message->given & GIVEN_TEARDOWN) {
    taken->executor = *next++;
    taken->program = *next++;
    taken->status = *next++;
  }
  if (message->given & GIVEN_TERMINAL)
    taken->terminal = *next++;
  if (message->given & GIVEN_NOTIFY) {
    taken->notified = *next++;
    taken->notifies = *next++;
  }
  if (message->given & GIVEN_PAGE)
    taken->page = *next++;
  size_t expected = (size_t)(next - control->descriptors);
  if (size < CONTROL_HEADER_SIZE)
    return expected == 0;
  return control->level == SOL_SOCKET && control->type == SCM_RIGHTS &&
         control->size == CONTROL_HEADER_SIZE + expected * sizeof(int);
}

enum received receive_orders(int socket, struct orders *orders)
{
  struct control control = { 0 };
  struct vector vector = { &orders->message, sizeof(orders->message) };
  struct message_header header = { .vectors = &vector,
                                   .vector_count = 1,
                                   .control = &control,
                                   .control_size = sizeof(control) };
  long size = syscall(__NR_recvmsg, socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size == -EAGAIN)
    return RECEIVED_NOTHING;
  if (size <= 0)
    return RECEIVED_END;
  size_t fixed = offsetof(struct message, strings);
  if ((size_t)size < fixed || (header.flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
      !has_strings(&orders->message, (size_t)size - fixed) || !is_known(&orders->message) ||
      !take_descriptors(&orders->message, &control, header.control_size, &orders->descriptors))
    give_up("malformed message from", "Node");
  if (orders->message.kind == KIND_CREATED) {
    orders->page = orders->descriptors.page;
    orders->page_offset = orders->message.pid;
  }
  return RECEIVED_MESSAGE;
}
