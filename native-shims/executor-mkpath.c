/*
 * Opens a path below a root and makes what is missing of it. The kernel resolves every name, one
 * at a time and inside the root (RESOLVE_IN_ROOT), so that a rename or a link that someone swaps
 * in meanwhile leads at worst to another place in the root (CVE-2021-30465, CVE-2024-45310).
 * We only decide what to do about a missing name: openat2 and mkdirat do not follow a dangling
 * link such as /etc/resolv.conf often is, and users expect that its target is made.
 */
#include "executor.h"

#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#define PATH_SIZE 4096
/* As many links as the kernel follows in one path. */
#define LINK_BUDGET 40
/* How often one name may come and go under our hands. */
#define RACE_BUDGET 16
#define PARENT_MODE 0755

struct walk {
  int root;
  /* Where the walk stands: an O_PATH fd, the root or ours to close. */
  int directory;
  uint64_t resolve;
  int is_file;
  uint32_t mode;
  int links;
  /* The names walked so far, without links: `..` goes back along them. */
  char done[PATH_SIZE];
  char rest[PATH_SIZE];
};

static long open_in_root(int root, const char *path, uint64_t flags, uint64_t resolve)
{
  struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
  long fd = -EAGAIN;
  /* EAGAIN: someone renamed or mounted something on this host during the look-up. */
  for (int tries = 0; fd == -EAGAIN && tries <= RETRY_LIMIT; tries++)
    fd = syscall(__NR_openat2, root, path, &how, sizeof how);
  return fd;
}

static void enter(struct walk *walk, int directory)
{
  if (walk->directory != walk->root)
    syscall(__NR_close, walk->directory);
  walk->directory = directory;
}

/* Takes the first name off the rest, into `name`; its length, 0 at the end. */
static size_t take_name(struct walk *walk, char *name)
{
  size_t from = 0;
  size_t length = 0;
  while (walk->rest[from] == '/')
    from++;
  while (walk->rest[from] != 0 && walk->rest[from] != '/')
    name[length++] = walk->rest[from++];
  name[length] = 0;
  while (walk->rest[from] == '/')
    from++;
  size_t to = 0;
  while (walk->rest[from] != 0)
    walk->rest[to++] = walk->rest[from++];
  walk->rest[to] = 0;
  return length;
}

static long append(char *path, const char *more)
{
  size_t length = string_length(path);
  size_t added = string_length(more);
  if (length + added + 2 > PATH_SIZE)
    return -ENAMETOOLONG;
  if (length > 0)
    path[length++] = '/';
  memcpy(path + length, more, added + 1);
  return 0;
}

/* `..`, which at the root stays at the root. */
static long go_back(struct walk *walk)
{
  size_t length = string_length(walk->done);
  while (length > 0 && walk->done[length - 1] != '/')
    length--;
  walk->done[length > 0 ? length - 1 : 0] = 0;
  const char *path = walk->done[0] != 0 ? walk->done : ".";
  long fd = open_in_root(walk->root, path, O_DIRECTORY, walk->resolve);
  if (!is_error(fd))
    enter(walk, (int)fd);
  return fd;
}

/* Puts the target of a link in front of the rest. */
static long follow(struct walk *walk, int link)
{
  char target[PATH_SIZE];
  if (walk->links++ >= LINK_BUDGET || (walk->resolve & RESOLVE_NO_SYMLINKS) != 0)
    return -ELOOP;
  long length = syscall(__NR_readlinkat, link, "", target, sizeof target - 1);
  if (is_error(length))
    return length;
  target[length] = 0;
  if (target[0] == '/') {
    enter(walk, walk->root);
    walk->done[0] = 0;
  }
  long result = append(target, walk->rest);
  if (!is_error(result))
    memcpy(walk->rest, target, string_length(target) + 1);
  return result;
}

static long make(const struct walk *walk, const char *name)
{
  int is_last = walk->rest[0] == 0;
  if (!is_last || !walk->is_file)
    return syscall(__NR_mkdirat, walk->directory, name, is_last ? walk->mode : PARENT_MODE);
  long fd = syscall(__NR_openat, walk->directory, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, walk->mode);
  if (!is_error(fd))
    syscall(__NR_close, fd);
  return fd;
}

/* Opens one name, made if missing. Whoever makes it first, it is there afterwards. */
static long open_name(const struct walk *walk, const char *name)
{
  long fd = open_in_root(walk->directory, name, O_NOFOLLOW, walk->resolve);
  for (int races = 0; fd == -ENOENT && races < RACE_BUDGET; races++) {
    long made = make(walk, name);
    if (is_error(made) && made != -EEXIST)
      return made;
    fd = open_in_root(walk->directory, name, O_NOFOLLOW, walk->resolve);
  }
  return fd;
}

/* What the name turned out to be: followed, entered, or refused for being no directory. */
static long proceed(struct walk *walk, const char *name, int fd)
{
  struct stat facts = {0};
  syscall(__NR_fstat, fd, &facts);
  uint32_t type = facts.st_mode & S_IFMT;
  if (type == S_IFLNK || (type != S_IFDIR && walk->rest[0] != 0)) {
    long result = type == S_IFLNK ? follow(walk, fd) : -ENOTDIR;
    syscall(__NR_close, fd);
    return result;
  }
  enter(walk, fd);
  return append(walk->done, name);
}

/* One name further; 0 to go on, 1 when the walk stands at its end, or an error. */
static long advance(struct walk *walk)
{
  char name[PATH_SIZE];
  size_t length = take_name(walk, name);
  if (length == 0)
    return 1;
  if (length == 1 && name[0] == '.')
    return 0;
  if (length == 2 && name[0] == '.' && name[1] == '.') {
    long back = go_back(walk);
    return is_error(back) ? back : 0;
  }
  long fd = open_name(walk, name);
  return is_error(fd) ? fd : proceed(walk, name, (int)fd);
}

/* The string is the program's: it ends where the data ends, NUL or not. */
static long copy_path(const struct program *program, const struct operand *path, char *to)
{
  const char *from = (const char *)program->data + path->value;
  uint64_t left = program->data_size - path->value;
  for (uint64_t i = 0; i < PATH_SIZE && i < left; i++) {
    to[i] = from[i];
    if (to[i] == 0)
      return 0;
  }
  return -ENAMETOOLONG;
}

long make_path(const struct program *program, const struct instruction *instruction)
{
  const struct operand *operands = instruction->operands;
  struct walk walk = {.root = (int)load_operand(program, operands)};
  walk.directory = walk.root;
  walk.is_file = load_operand(program, operands + 2) != 0;
  walk.mode = (uint32_t)load_operand(program, operands + 3);
  walk.resolve = load_operand(program, operands + 4);
  long result = copy_path(program, operands + 1, walk.rest);
  if (is_error(result))
    return result;
  /* Almost always everything is there. */
  long fd = open_in_root(walk.root, walk.rest, 0, walk.resolve);
  if (fd != -ENOENT)
    return fd;
  do
    result = advance(&walk);
  while (result == 0);
  if (is_error(result)) {
    enter(&walk, walk.root);
    return result;
  }
  return walk.directory != walk.root ? walk.directory
                                     : open_in_root(walk.root, ".", O_DIRECTORY, 0);
}
