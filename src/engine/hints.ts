/** What to do about a failed call, where we know it. Keyed by call and errno. */
const HINTS: Readonly<Record<string, string>> = {
  'clone3 EPERM': 'creating namespaces needs CAP_SYS_ADMIN',
  'clone3 ENOSPC':
    'a limit on namespaces is reached: see the sysctls user.max_*_namespaces and the nesting depth',
  'clone3 EAGAIN': 'a limit on processes is reached: see pids.max of the cgroup and RLIMIT_NPROC',
  'clone3 EBUSY': 'the cgroup has controllers enabled for its children: it takes no process',
  'clone3 ENOMEM': 'out of memory, or the first process of the pid namespace has ended',
  'clone3 EINVAL': 'the kernel lacks one of the namespaces asked for',
  'clone3 EACCES':
    'a process goes into another cgroup only where the caller may write cgroup.procs of one above both; systemd-run --user --scope COMMAND puts a user there',
  'unshare EPERM':
    'user namespaces are denied to this user: see the sysctls kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns',
  'unshare ENOSPC':
    'a limit on namespaces is reached: see the sysctls user.max_*_namespaces and the nesting depth',
  'unshare EINVAL': 'the kernel lacks that kind of namespace',
  'fsopen EPERM': 'the user namespace does not own the namespace that this filesystem shows',
  'fsmount EPERM':
    'in a user namespace proc and sysfs are mounted only where those around it are whole, without masked or read-only paths',
  'fsopen ENODEV': 'this kernel does not know the filesystem type; is its module loaded?',
  'fsconfig EINVAL': 'the filesystem does not take one of the mount options',
  'fsconfig ENOENT': 'the source, or a path among the mount options, does not exist',
  'fsconfig ENOTBLK': 'the source is not a block device',
  'open_tree ENOENT': 'the source of the bind mount does not exist on the host',
  'move_mount ENOTDIR': 'one of source and destination is a directory, the other is not',
  'move_mount EINVAL':
    'a directory goes on a directory and a file on a file; is one of source and destination the other?',
  'move_mount ENOSPC': 'the limit on mounts is reached: see the sysctl fs.mount-max',
  'mkpath EPERM':
    'the destination is missing, and its filesystem takes no new directories: mount on one that is there',
  'mkpath EROFS':
    'the destination is missing and its filesystem is read-only: create it in the image',
  'mkpath ELOOP': 'a symbolic link stands in the way of the destination',
  'mkpath ENOTDIR': 'a component of the path is not a directory',
  'openat2 ENOTDIR': 'it, or a component of its path, is not a directory',
  'openat2 ELOOP': 'a symbolic link stands in the way',
  'mkpath EACCES':
    "the destination is missing, and the container's root may not make it: its owner is not mapped, or the mode denies it",
  'mkpath EOVERFLOW':
    'the destination is missing, and the ids that would make it are not mapped there',
  'open_tree EACCES': "the container's root cannot reach the path on the host",
  'setresuid EINVAL': 'the user namespace has no such uid',
  'setresgid EINVAL': 'the user namespace has no such gid',
  'mount_setattr EINVAL':
    'is it an idmapped mount? its filesystem, or one mounted below it, must know how',
  'pivot_root EINVAL': 'the root filesystem is the initramfs or shared: try --no-pivot',
  'setns EINVAL': 'the path is a namespace of another type',
  'setns EPERM': 'joining the namespace needs CAP_SYS_ADMIN in the user namespace that owns it',
  'prlimit64 EPERM': 'raising a hard limit needs CAP_SYS_RESOURCE, which the caller lacks',
  'sched_setattr EPERM':
    'a higher priority needs CAP_SYS_NICE, and real time under cgroup v1 /linux/resources/cpu/realtimeRuntime',
  'sched_setattr EINVAL': 'the policy, or its numbers, are none that this kernel has',
  'set_mempolicy EINVAL':
    'a node is not there or not in cpuset.mems, or the flags do not go together',
  'setgroups EPERM': 'changing groups needs CAP_SETGID',
  'sched_setaffinity EINVAL': 'the machine, or the cpuset, has none of these CPUs',
  'connect EAGAIN': 'nobody accepts connections there',
  'connect ECONNREFUSED': 'nobody listens there',
  'seccomp EINVAL': 'the kernel refuses the filter or one of its flags',
  'seccomp EACCES': 'loading a filter needs CAP_SYS_ADMIN or /process/noNewPrivileges',
  'sethostname EPERM': 'the hostname needs a uts namespace of its own',
  'mknodat EPERM': 'making device nodes needs CAP_MKNOD',
  'umount2 EINVAL': 'nothing is mounted there',
  'umount2 ENOENT': 'there is no such path in the container',
  'write EINVAL': 'the kernel does not take this value',
  'execve EACCES':
    'is the file executable for its user, its mount not noexec, and its interpreter executable too?',
  'execve ENOEXEC': 'the file is no program for this machine, or a script without a #! line',
  'execve ENOENT': 'the program, or the interpreter it names, is missing in the root filesystem',
  'execve E2BIG': 'arguments and environment together are too long',
  'execve EAGAIN': 'RLIMIT_NPROC is reached for its user',
  'execve ENOMEM': 'the memory limit is too low to start the program',
}

/** The words of execve's errors that engines choose exit status 126 and 127 by. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOENT: 'no such file or directory',
  ENOEXEC: 'exec format error',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
}

/** `: ` and what the errno of a failed execve means, or nothing. */
export function findWords(call: string, errno: string): string {
  const words = call === 'execve' ? WORDS[errno] : undefined
  return words === undefined ? '' : `: ${words}`
}

/** The hint for a failed call, if there is one. */
export function findHint(call: string, errno: string): string | undefined {
  return HINTS[`${call} ${errno}`]
}
