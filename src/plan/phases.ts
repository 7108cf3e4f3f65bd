/**
 * The one place that knows order. Fields emit steps with a phase; a plan is its steps sorted by
 * phase, stable within a phase. Each phase says why it stands where it stands.
 */
export const PHASES = [
  // Limits are in force before there is a process that could exceed them.
  'cgroup',
  // exec alone, and first: nothing of it ever runs beside the container's limits.
  'initial-affinity',
  'enter-cgroup',
  // A cpuset's own CPUs are given by the cgroup that was just entered.
  'final-affinity',
  // Before there is an init: setns to a pid namespace and unshare of time act on children only, and
  // in a user namespace the others' could not be joined any more.
  'stage',
  // The stage's id maps are written: nobody has to reach it any more.
  'stage-end',
  'clone',
  // From outside, by pid, while the process waits: id maps, v1 cgroups, oom_score_adj.
  'process',
  // After the v1 cgroups: a cgroup namespace's root is the cgroup that its creator is in.
  'namespaces',
  // With the caller's ids still: the container's root might not reach the path on the host.
  'rootfs',
  // Whatever is made from here on, files and keyrings, is the container's root's.
  'user',
  'session',
  'network',
  'hostname',
  // Through a procfs of our own, so before any mount of the container can shadow anything.
  'sysctl',
  'mounts',
  'devices',
  // The runtime's hooks see the finished tree at root.path in /proc/PID/ns/mnt.
  'runtime-hooks',
  // In the container's namespaces, but their path is resolved in the runtime's root.
  'container-hooks',
  // After the hooks, which may still mount; before the masks and while the runtime's devpts is in
  // sight, which is where a container without one of its own gets its pty from.
  'terminal',
  // While /dev can still be written.
  'console',
  // runc's users rely on a cwd that only root can make: after the hooks, which may have mounted
  // its parent, and while a root that shall be read-only can still be written.
  'working-directory',
  // After the hooks: they may still write into the tree.
  'readonly',
  'masks',
  'enter-root',
  'stdio',
  // As root: a cwd that only root can enter is common, too.
  'directory',
  // HOME is looked up in the container's passwd while root can still read it.
  'home',
  // Raising a hard limit needs CAP_SYS_RESOURCE, so before capabilities go.
  'raise-limits',
  // Real-time policies need CAP_SYS_NICE, and a procfs to write labels to CAP_SYS_ADMIN.
  'attributes',
  // PR_CAPBSET_DROP needs CAP_SETPCAP, which the change of user takes away.
  'bounding-set',
  'identity',
  // setresuid(2) clears sets, so they are final only after it.
  'capabilities',
  // As the container's user, in the container's root: create reports a missing executable.
  'executable',
  'created',
  'start',
  'start-hooks',
  // RLIMIT_NOFILE 3, NPROC 1, FSIZE 0 must start: nothing but the filter and execve comes after.
  'descriptors',
  'limits',
  // Last: what comes after it runs under the container's filter.
  'seccomp',
  // Without no_new_privs the filter's load needs CAP_SYS_ADMIN: given up only after it.
  'final-capabilities',
  'execute',
  // By the engine, after the executable runs.
  'poststart',
  // By the engine or the supervisor, after the container is gone.
  'poststop',
] as const

export type Phase = (typeof PHASES)[number]

/** A further process of a container leaves out what was done when the container was made. */
const COMMANDS: Readonly<Record<Phase, 'create' | 'exec' | 'both'>> = {
  cgroup: 'create',
  'initial-affinity': 'exec',
  'enter-cgroup': 'exec',
  'final-affinity': 'exec',
  stage: 'both',
  'stage-end': 'create',
  clone: 'both',
  process: 'create',
  namespaces: 'both',
  rootfs: 'create',
  user: 'both',
  session: 'both',
  network: 'create',
  hostname: 'create',
  sysctl: 'create',
  mounts: 'create',
  devices: 'create',
  'runtime-hooks': 'create',
  'container-hooks': 'create',
  terminal: 'both',
  console: 'create',
  'working-directory': 'create',
  readonly: 'create',
  masks: 'create',
  'enter-root': 'create',
  stdio: 'both',
  directory: 'both',
  home: 'both',
  'raise-limits': 'both',
  attributes: 'both',
  'bounding-set': 'both',
  identity: 'both',
  capabilities: 'both',
  executable: 'both',
  created: 'create',
  start: 'create',
  'start-hooks': 'create',
  descriptors: 'both',
  limits: 'both',
  seccomp: 'both',
  'final-capabilities': 'both',
  execute: 'both',
  poststart: 'create',
  poststop: 'create',
}

function phasesOf(command: 'create' | 'exec'): ReadonlySet<Phase> {
  return new Set(PHASES.filter((phase) => [command, 'both'].includes(COMMANDS[phase])))
}

export const CREATE_PHASES = phasesOf('create')
export const EXEC_PHASES = phasesOf('exec')
/** `mounts add` and `mounts remove`: into the container, and no more than that. */
export const MOUNTS_PHASES: ReadonlySet<Phase> = new Set([
  'stage',
  'clone',
  'namespaces',
  'user',
  'mounts',
  'readonly',
])
