/* Records for Node what it cannot see any more; src/host/request.ts has the layout. */
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "front.h"

#define MAGIC 0x51525354
#define VERSION 2
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

struct request {
  uint32_t magic;
  uint32_t version;
  uint32_t arguments;
  uint32_t variables;
  uint32_t descriptors;
  int32_t supervisor;
  int32_t pid;
  uint32_t zero;
  struct limit limits[LIMIT_COUNT];
};

struct directory_entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* Gathers small writes. */
struct writer {
  int fd;
  size_t used;
  uint8_t bytes[4096];
};

static void write_all(int fd, const uint8_t *bytes, size_t size)
{
  while (size > 0) {
    long written = syscall(__NR_write, fd, bytes, size);
    if (written <= 0)
      give_up("cannot record", "the request");
    bytes += written;
    size -= (size_t)written;
  }
}

static void flush(struct writer *writer)
{
  write_all(writer->fd, writer->bytes, writer->used);
  writer->used = 0;
}

static void append(struct writer *writer, const void *bytes, size_t size)
{
  if (size > sizeof(writer->bytes) - writer->used)
    flush(writer);
  if (size > sizeof(writer->bytes)) {
    write_all(writer->fd, bytes, size);
    return;
  }
  memcpy(writer->bytes + writer->used, bytes, size);
  writer->used += size;
}

static uint32_t append_strings(struct writer *writer, char *const *strings)
{
  uint32_t count = 0;
  for (; strings[count] != NULL; count++)
    append(writer, strings[count], string_length(strings[count]) + 1);
  return count;
}

/* -1 for `.` and `..`. */
static int parse_descriptor(const char *name)
{
  int number = 0;
  for (; *name != 0; name++) {
    if (*name < '0' || *name > '9')
      return -1;
    number = number * 10 + (*name - '0');
  }
  return number;
}

static uint32_t append_descriptors(struct writer *writer)
{
  long directory =
    syscall(__NR_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0)
    give_up("cannot open", "/proc/self/fd");
  _Alignas(8) static uint8_t entries[4096];
  uint32_t count = 0;
  long size;
  while ((size = syscall(__NR_getdents64, directory, entries, sizeof(entries))) > 0) {
    for (long at = 0; at < size;) {
      const struct directory_entry *entry = (const void *)(entries + at);
      int fd = parse_descriptor(entry->name);
      if (fd >= 3 && fd != directory && fd != writer->fd) {
        append(writer, &fd, sizeof(fd));
        count++;
      }
      at += entry->size;
    }
  }
  syscall(__NR_close, directory);
  return count;
}

static int create_file(void)
{
  /* Without a word on execution, vm.memfd_noexec=2 refuses; before 6.3 the flag is unknown. */
  long fd = syscall(__NR_memfd_create, "tsrunc-request", MFD_NOEXEC_SEAL);
  if (fd < 0)
    fd = syscall(__NR_memfd_create, "tsrunc-request", 0);
  if (fd < 0)
    give_up("cannot create", "a memfd for the request");
  return raise_descriptor((int)fd, false);
}

int record_request(const struct front *front, char *const *argv, bool descriptors)
{
  static struct writer writer;
  struct request request = { .magic = MAGIC, .version = VERSION, .supervisor = -1 };
  memcpy(request.limits, front->limits, sizeof(request.limits));
  request.pid = (int32_t)syscall(__NR_getpid);
  writer.fd = create_file();
  append(&writer, &request, sizeof(request));
  if (descriptors)
    request.descriptors = append_descriptors(&writer);
  request.arguments = append_strings(&writer, argv);
  request.variables = append_strings(&writer, front->environment);
  append(&writer, RESIDENT_SOCKET, sizeof(RESIDENT_SOCKET));
  flush(&writer);
  syscall(__NR_pwrite64, writer.fd, &request, sizeof(request), 0);
  return writer.fd;
}

void record_supervisor(int request, int fd)
{
  syscall(__NR_pwrite64, request, &fd, sizeof(fd), offsetof(struct request, supervisor));
}
