import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { expect, inject, it, onTestFinished } from 'vitest'
import { SYSCALL } from '../../src/sys/syscall-numbers.ts'
import type { Config } from './config.ts'
import {
  createBundle,
  describeContainers,
  freshId,
  invoke,
  probe,
  probeArguments,
  type Runtime,
  readState,
  runContainer,
  waitUntil,
  writeConfig,
} from './rig.ts'

const GETSID = process.arch === 'x64' ? '124' : '156'
const ARCHITECTURE = process.arch === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'
const ENOTNAM = constants.errno.ENOSTR

/** What the probe makes, and what runtimes make under the filter: runc is a program in Go. */
const EVERYDAY = [
  ...Object.keys(SYSCALL[process.arch === 'x64' ? 'x64' : 'arm64']),
  ...'arch_prctl brk clone epoll_create1 epoll_ctl epoll_pwait eventfd2 exit fstat fstatfs'.split(
    ' ',
  ),
  ...'futex getdents64 getegid geteuid getgid getpid getppid getrandom gettid getuid'.split(' '),
  ...'madvise mincore mprotect open pipe2 pread64 readlink restart_syscall rseq'.split(' '),
  ...'rt_sigreturn sched_getaffinity sched_yield set_robust_list set_tid_address'.split(' '),
  ...'sigaltstack tgkill uname stat lstat prlimit64 access poll'.split(' '),
]

describeContainers('linux.seccomp', (runtime) => {
  it.each([true, false])('a denied call fails with its errno (noNewPrivileges %s)', (noNew) => {
    const [denied, report] = probe(runtime, [['syscall', GETSID], ['report']], (config) => {
      config.process.noNewPrivileges = noNew
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [ARCHITECTURE],
        syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOTNAM }],
      }
    })
    expect(denied).toBe('ENOSTR')
    expect(report).toMatchObject({ seccomp: 2, noNewPrivileges: noNew ? 1 : 0 })
  })

  it('arguments are compared', () => {
    const [denied] = probe(runtime, [['syscall', GETSID]], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [ARCHITECTURE],
        syscalls: [
          {
            names: ['getsid'],
            action: 'SCMP_ACT_ERRNO',
            args: [{ index: 0, value: 1n, op: 'SCMP_CMP_EQ' }],
          },
        ],
      }
    })
    expect(denied).toBe('ok')
  })

  it('SCMP_ACT_KILL ends the container', () => {
    const result = runContainer(runtime, [['syscall', GETSID]], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [ARCHITECTURE],
        syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_KILL_PROCESS' }],
      }
    })
    expect(result.status).toBe(128 + constants.signals.SIGSYS)
  })

  it('names that this kernel does not know are skipped', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['no_such_call', 'getsid'], action: 'SCMP_ACT_ERRNO' }],
      }
    })
    expect(report).toMatchObject({ seccomp: 2 })
  })

  it('without the section there is no filter', () => {
    expect(probe(runtime, [['report']])[0]).toMatchObject({ seccomp: 0 })
  })

  it('calls that are newer than the profile do not exist, others are denied', () => {
    const denied = probe(
      runtime,
      [
        ['syscall', '600'],
        ['syscall', GETSID],
      ],
      (config) => {
        config.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ERRNO',
          architectures: [ARCHITECTURE],
          syscalls: [{ names: EVERYDAY, action: 'SCMP_ACT_ALLOW' }],
        }
      },
    )
    expect(denied).toEqual(['ENOSYS', 'EPERM'])
  })

  // runc 1.1 refuses every flag.
  it.runIf(runtime.name !== 'runc')('flags are given to the kernel', () => {
    const flags = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'] as const
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        flags: flags.map((flag) => `SECCOMP_FILTER_FLAG_${flag}` as const),
        syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_LOG' }],
      }
    })
    expect(report).toMatchObject({ seccomp: 2 })
  })

  it('a profile that denies execve is refused', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] }
    })
    expect(result.status).toBe(1)
    if (runtime.name === 'tsrunc') {
      expect(result.stderr).toContain('execve')
      expect(result.stderr).toContain('/linux/seccomp')
    }
  })
})

const NOTIFY: NonNullable<Config['linux']['seccomp']> = {
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: [ARCHITECTURE],
  flags: [],
  listenerMetadata: 'for the agent',
  syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_NOTIFY' }],
}

interface Agent {
  readonly socket: string
  readonly told: () => Promise<Told>
}

interface Told {
  readonly syscall: number
  readonly message: string
}

/** On the host, answers one call with ENOANO. */
async function startAgent(directory: string): Promise<Agent> {
  const socket = join(directory, 'agent')
  const agent: ChildProcess = spawn(inject('probe'), ['answer', socket])
  onTestFinished(() => void agent.kill('SIGKILL'))
  let output = ''
  agent.stdout?.on('data', (chunk) => {
    output += chunk
  })
  const ended = once(agent, 'close')
  await waitUntil('the agent to listen', () => existsSync(socket))
  const told = async () => {
    await ended
    return JSON.parse(output)[0] as Told
  }
  return { socket, told }
}

describeContainers('linux.seccomp: SCMP_ACT_NOTIFY', (runtime: Runtime) => {
  // crun's annotation and variable are older than the member: runc never had them.
  const ways = ['listenerPath', 'annotation', 'environment'] as const
  it.each(runtime.name === 'runc' ? ways.slice(0, 1) : ways)(
    'the agent of the %s gets the listener and answers',
    async (by) => {
      const bundle = createBundle((config) => {
        config.process.args = probeArguments([['syscall', GETSID]])
        config.annotations = { key: 'value' }
      })
      const agent = await startAgent(bundle.directory)
      const config = JSON.parse(readFileSync(join(bundle.directory, 'config.json'), 'utf8'))
      config.linux.seccomp = { ...NOTIFY }
      if (by === 'listenerPath') config.linux.seccomp.listenerPath = agent.socket
      if (by === 'annotation') config.annotations['run.oci.seccomp.receiver'] = agent.socket
      const env = by === 'environment' ? { RUN_OCI_SECCOMP_RECEIVER: agent.socket } : undefined
      writeFileSync(join(bundle.directory, 'config.json'), JSON.stringify(config))
      const id = freshId(runtime)
      const words = ['run', '--bundle', bundle.directory, id]
      const result = invoke(runtime, words, { ...(env && { env }) })
      expect(result.stderr).toBe('')
      expect(result.stdout.trim()).toBe('["ENOANO"]')
      const { message, syscall } = await agent.told()
      expect(syscall).toBe(Number(GETSID))
      const state = JSON.parse(message)
      expect(state).toMatchObject({
        fds: ['seccompFd'],
        metadata: 'for the agent',
        state: { id, bundle: bundle.directory, annotations: { key: 'value' } },
      })
      expect(state.pid).toBeGreaterThan(1)
      expect(state.state.pid).toBe(state.pid)
    },
  )

  it('a process of exec has a listener of its own', async () => {
    const bundle = createBundle()
    const first = await startAgent(bundle.directory)
    writeConfig(bundle, (config) => {
      config.process.args = probeArguments([['sleep', '60']])
      config.linux.seccomp = { ...NOTIFY, listenerPath: first.socket }
    })
    const id = freshId(runtime)
    expect(invoke(runtime, ['run', '--detach', '--bundle', bundle.directory, id]).stderr).toBe('')
    // The first agent keeps the listener of the container's own process.
    rmSync(first.socket)
    const second = await startAgent(bundle.directory)
    const result = invoke(runtime, ['exec', id, ...probeArguments([['syscall', GETSID]])])
    expect(result.stderr).toBe('')
    expect(result.stdout.trim()).toBe('["ENOANO"]')
    const { message, syscall } = await second.told()
    expect(syscall).toBe(Number(GETSID))
    const state = JSON.parse(message)
    expect(state).toMatchObject({ metadata: 'for the agent', state: { id, status: 'running' } })
    expect(state.state.pid).toBe(readState(runtime, id).pid)
    expect(state.pid).not.toBe(state.state.pid)
  })

  it('without an agent it is an error', () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config, { directory }) => {
      const listenerPath = join(directory, 'nobody')
      config.linux.seccomp = { ...NOTIFY, listenerPath }
    })
    expect(status).toBe(1)
    if (runtime.name === 'tsrunc') {
      expect(stderr).toContain('/linux/seccomp/listenerPath: expected the socket of an agent')
    }
  })

  it('with an agent that does not listen the container is not started', () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config, { directory }) => {
      const listenerPath = join(directory, 'file')
      writeFileSync(listenerPath, '')
      config.linux.seccomp = { ...NOTIFY, listenerPath }
    })
    expect(status).toBe(1)
    if (runtime.name === 'tsrunc') {
      expect(stderr).toMatch(/\/linux\/seccomp: the seccomp agent: connect\(.*ECONNREFUSED/)
    }
  })

  it('is refused for write: nobody could tell of it', () => {
    const { status } = runContainer(runtime, [['report']], (config, { directory }) => {
      const syscalls = [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' as const }]
      config.linux.seccomp = {
        ...NOTIFY,
        syscalls,
        listenerPath: join(directory, 'x'),
      }
    })
    expect(status).toBe(1)
  })
})
