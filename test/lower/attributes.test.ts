import { expect, test } from 'vitest'
import type { Step } from '../../src/plan/steps.ts'
import { ROOT, textsOf } from './listing.ts'

const AT = { phase: 'attributes', origin: '/test' } as const
const SCHEDULER = {
  ...AT,
  kind: 'set-scheduler',
  policy: 'OTHER',
  flags: [],
  nice: 0,
  priority: 0,
  runtime: 0n,
  deadline: 0n,
  period: 0n,
} as const

test.each<[Step, string]>([
  [{ ...SCHEDULER, nice: -5 }, 'sched_setattr(0, {SCHED_OTHER, nice -5}, 0)'],
  [
    { ...SCHEDULER, policy: 'DEADLINE', flags: ['RECLAIM'], runtime: 1n, period: 2n },
    'sched_setattr(0, {SCHED_DEADLINE, SCHED_FLAG_RECLAIM, runtime 1, period 2}, 0)',
  ],
  [
    { ...AT, kind: 'set-io-priority', class: 'RT', priority: 3 },
    'ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_RT|3)',
  ],
  [{ ...AT, kind: 'set-personality', domain: 'LINUX32' }, 'personality(PER_LINUX32)'],
  [
    { ...AT, kind: 'set-memory-policy', mode: 'BIND', flags: ['STATIC_NODES'], nodes: [0, 70] },
    'set_mempolicy(MPOL_BIND|MPOL_F_STATIC_NODES, [0, 70], 129)',
  ],
  [
    { ...AT, kind: 'set-memory-policy', mode: 'DEFAULT', flags: [], nodes: [] },
    'set_mempolicy(MPOL_DEFAULT, NULL, 0)',
  ],
])('%o', (step, call) => {
  expect(textsOf(step)).toEqual([call])
})

const LABEL: Step = { ...AT, kind: 'set-exec-label', system: 'selinux', label: 'a:b:c:s0' }
const PROCFS = [
  'fs = fsopen("proc", FSOPEN_CLOEXEC)',
  'fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)',
  'procfs = fsmount(fs, FSMOUNT_CLOEXEC, 0)',
  // Where that is refused.
  'procfs = openat(AT_FDCWD, "/proc", O_PATH|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC, 0)',
  'fstatfs(procfs, &fs)',
  'if fs.f_type != PROC_SUPER_MAGIC goto fail0',
  'statx(procfs, "", AT_EMPTY_PATH, STATX_INO, &st)',
  'if st.ino != 1 goto fail0',
  'close(fs)',
]
const WITHIN = 'RESOLVE_BENEATH|RESOLVE_NO_XDEV|RESOLVE_NO_MAGICLINKS'

test('a label is written by the process itself, through a procfs of our own', () => {
  expect(textsOf(LABEL)).toEqual([
    ...PROCFS,
    `file</proc/thread-self/attr/exec> = openat2(procfs, "thread-self/attr/exec", {O_WRONLY|O_CLOEXEC, ${WITHIN}}, 24)`,
    'write(file</proc/thread-self/attr/exec>, "a:b:c:s0", 8)',
    'close(file</proc/thread-self/attr/exec>)',
    'close(procfs)',
  ])
  expect(textsOf({ ...LABEL, system: 'apparmor', label: 'web' })).toContain(
    'write(file</proc/thread-self/attr/apparmor/exec>, "exec web", 8)',
  )
})

test('that procfs is mounted while the host is in sight', () => {
  expect(textsOf(ROOT, LABEL)).not.toContain(PROCFS[0])
})

test('the label of keyrings is written the same way', () => {
  const texts = textsOf({ kind: 'set-keyring-label', phase: 'session', origin: '', label: 'a:b' })
  expect(texts).toContain('write(file</proc/thread-self/attr/keycreate>, "a:b", 3)')
})
