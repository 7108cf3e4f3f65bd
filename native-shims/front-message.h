/* What sendmsg(2) and recvmsg(2) take: packets that carry fds. */
#ifndef TSRUNC_FRONT_MESSAGE_H
#define TSRUNC_FRONT_MESSAGE_H

#include "syscall.h"

#define AF_UNIX 1
#define SOCK_SEQPACKET 5
#define SOCK_CLOEXEC O_CLOEXEC
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MSG_CTRUNC 0x08
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000

struct vector {
  void *base;
  size_t size;
};

/* SCM_MAX_FD of the kernel. */
#define MOST_DESCRIPTORS 253

/* One SCM_RIGHTS. */
struct control {
  size_t size;
  int level;
  int type;
  int descriptors[MOST_DESCRIPTORS];
};

#define CONTROL_HEADER_SIZE offsetof(struct control, descriptors)

struct message_header {
  void *name;
  int name_size;
  struct vector *vectors;
  size_t vector_count;
  void *control;
  size_t control_size;
  unsigned int flags;
};

#endif
