import { describe, expect, test } from 'vitest'
import type { Process, Seccomp } from '../../../src/config/spec.ts'
import { seccomp } from '../../../src/fields/linux/seccomp.ts'
import { VERDICT } from '../../../src/fields/linux/seccomp-evaluate.ts'
import { planFields } from '../../../src/fields/walk.ts'
import { SYSCALL } from '../../../src/sys/syscall-numbers.ts'
import { planningOf } from './hosts.ts'

const AT = '/linux/seccomp'

type Name = keyof typeof SYSCALL.x64

/** sock_filter[] that returns a verdict for each named call, and another for the rest. */
function makeFilter(verdicts: Partial<Record<Name, number>>, otherwise: number): string {
  const load = [0x20, 0, 0, 0]
  const rules = Object.entries(verdicts).flatMap(([name, verdict]) => [
    [0x15, 0, 1, SYSCALL.x64[name as Name]],
    [0x06, 0, 0, verdict],
  ])
  const program = [load, ...rules, [0x06, 0, 0, otherwise]]
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(([code = 0, whenTrue = 0, whenFalse = 0, k = 0], index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(whenTrue, index * 8 + 2)
    bytes.writeUInt8(whenFalse, index * 8 + 3)
    bytes.writeUInt32LE(k, index * 8 + 4)
  })
  return bytes.toString('base64')
}

const ALLOW_ALL = makeFilter({}, VERDICT.allow)
const PROFILE: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }

function plan(profile: Seccomp, filter: string | undefined, process: Partial<Process> = {}) {
  const compiled = filter === undefined ? {} : { seccomp: { filter, unknownSyscalls: [] } }
  const linux = { seccomp: profile }
  const planning = planningOf({ linux, process: { cwd: '/', ...process }, ...compiled })
  return planFields<{ seccomp?: Seccomp }>({ seccomp }, { seccomp: profile }, '/linux', planning)
}

function messages(...args: Parameters<typeof plan>): (string | undefined)[] {
  return plan(...args).issues?.map(({ message }) => message) ?? []
}

test('the compiled filter is loaded last, with SPEC_ALLOW when no flags are given', () => {
  const step = { kind: 'load-seccomp', phase: 'seccomp', origin: AT, filter: ALLOW_ALL }
  expect(plan(PROFILE, ALLOW_ALL).steps).toEqual([{ ...step, flags: ['SPEC_ALLOW'] }])
})

test.each<[Seccomp['flags'], readonly string[]]>([
  [[], []],
  [['SECCOMP_FILTER_FLAG_LOG'], ['LOG']],
  [['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'], ['SPEC_ALLOW']],
  [['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'], []],
])('flags %j are given to the kernel as %j', (flags, expected) => {
  const { steps } = plan({ ...PROFILE, ...(flags === undefined ? {} : { flags }) }, ALLOW_ALL)
  expect(steps).toEqual([expect.objectContaining({ flags: expected })])
})

describe('calls that are still to be made under the filter', () => {
  const { errno, allow, log, trace, notify, trap, killThread, killProcess } = VERDICT

  test('execve denied by default is refused by name', () => {
    const filter = makeFilter({ read: allow, exit_group: allow }, errno | 1)
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['read', 'exit_group'], action: 'SCMP_ACT_ALLOW' }],
    }
    expect(messages(profile, filter, { noNewPrivileges: true })).toEqual([
      "execve is denied by /linux/seccomp (defaultAction SCMP_ACT_ERRNO): the container's process could not be started",
    ])
  })

  test('execve denied by a rule names the rule', () => {
    const profile: Seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ERRNO' },
        { names: ['ptrace', 'execve'], action: 'SCMP_ACT_KILL' },
      ],
    }
    const filter = makeFilter({ execve: killThread }, allow)
    expect(messages(profile, filter)).toEqual([
      expect.stringContaining('execve is denied by /linux/seccomp (syscalls/1 SCMP_ACT_KILL)'),
    ])
  })

  test('capset counts only where CAP_SYS_ADMIN was held for the load and must go', () => {
    const filter = makeFilter({ execve: allow, exit_group: allow }, errno | 1)
    const profile: Seccomp = { defaultAction: 'SCMP_ACT_ERRNO' }
    expect(messages(profile, filter)).toEqual([expect.stringMatching(/^capset is denied/)])
    expect(messages(profile, filter, { noNewPrivileges: true })).toEqual([])
    const all = ['CAP_SYS_ADMIN']
    const capabilities = { bounding: all, effective: all, permitted: all }
    expect(messages(profile, filter, { capabilities })).toEqual([])
  })

  test.each([
    ['allow', allow, true],
    ['log', log, true],
    ['trace', trace | 5, true],
    ['notify', notify, false],
    ['errno 0', errno, false],
    ['trap', trap, false],
    ['kill thread', killThread, false],
    ['kill process', killProcess, false],
  ])('%s', (_, verdict, passes) => {
    expect(messages(PROFILE, makeFilter({ execve: verdict }, allow))).toHaveLength(passes ? 0 : 1)
  })
})

describe('SCMP_ACT_NOTIFY', () => {
  const syscalls = [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }] as const
  const listener = { path: '/run/agent', metadata: 'text' }
  const profile: Seccomp = {
    ...PROFILE,
    flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
    listenerPath: listener.path,
    listenerMetadata: listener.metadata,
    syscalls,
  }

  test('has the kernel make a listener, for the agent', () => {
    expect(plan(profile, ALLOW_ALL).steps).toEqual([
      expect.objectContaining({ flags: ['WAIT_KILLABLE_RECV', 'NEW_LISTENER'], listener }),
    ])
  })

  test('without a rule there is no listener, whatever the path', () => {
    const [step] = plan({ ...profile, syscalls: [] }, ALLOW_ALL).steps ?? []
    expect(step).toMatchObject({ flags: [] })
    expect(step).not.toHaveProperty('listener')
  })

  test('may ask for execve, which the agent can answer, not for how it gets the listener', () => {
    const { allow, notify, errno } = VERDICT
    expect(messages(profile, makeFilter({ execve: notify }, allow))).toEqual([])
    expect(messages(profile, makeFilter({ recvmsg: notify }, allow))).toEqual([
      expect.stringContaining('recvmsg is denied'),
    ])
    expect(messages(profile, makeFilter({ sendmsg: errno }, allow))).toHaveLength(1)
    expect(messages(PROFILE, makeFilter({ sendmsg: errno }, allow))).toEqual([])
  })
})

test('a profile that nobody compiled is never left out silently', () => {
  expect(messages(PROFILE, undefined)).toEqual([expect.stringContaining('libseccomp')])
})
