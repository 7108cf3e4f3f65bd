/** What exec refuses, what it says, and that the container runs on as if nothing had been. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { execFile, execReport, startContainer } from './exec-rig.ts'
import { fail } from './refusal.ts'
import {
  type Bundle,
  createContainer,
  describeContainers,
  freshId,
  invoke,
  type Runtime,
  readState,
  waitForStatus,
} from './rig.ts'

interface Case {
  readonly name: string
  readonly flags?: readonly string[]
  readonly words?: readonly string[]
  /** In every runtime; engines look for them. */
  readonly engines?: RegExp
  readonly says: RegExp
}

/** Files that cannot be executed. */
function prepareRoot({ rootfs }: Bundle): void {
  writeFileSync(join(rootfs, 'data'), 'no program\n')
  mkdirSync(join(rootfs, 'directory'))
  writeFileSync(join(rootfs, 'script'), '#!/no/such/interpreter\n')
  writeFileSync(join(rootfs, 'text'), 'no program\n')
  for (const name of ['script', 'text']) chmodSync(join(rootfs, name), 0o755)
}

const CASES: readonly Case[] = [
  {
    name: 'a program that is nowhere',
    words: ['nowhere'],
    engines: /exec: "nowhere": executable file not found in \$PATH/,
    says: /^\/process\/args\/0: exec: /,
  },
  {
    name: 'a path that is not there',
    words: ['/nowhere'],
    engines: /no such file or directory/,
    says: /^\/process\/args\/0: exec: "\/nowhere": stat \/nowhere: no such file or directory$/,
  },
  {
    name: 'a file that is not executable',
    words: ['/data'],
    engines: /permission denied/,
    says: /^\/process\/args\/0: exec: "\/data": permission denied$/,
  },
  {
    name: 'a directory',
    words: ['/directory'],
    engines: /is a directory|permission denied/,
    says: /^\/process\/args\/0: exec: "\/directory": is a directory$/,
  },
  {
    // Of this and the next runc 1.1 learns too late, and leaves with 1.
    name: 'a script without its interpreter',
    words: ['/script'],
    says: /^\/process\/args\/0: .*its interpreter is missing: \/no\/such\/interpreter$/,
  },
  {
    name: 'a text that is no program',
    words: ['/text'],
    says: /execve\("\/text".*ENOEXEC: exec format error \(hint: it is neither an ELF program nor/,
  },
  {
    name: 'a cwd that is missing',
    flags: ['--cwd', '/nowhere'],
    engines: /chdir to cwd \("\/nowhere"\).*no such file or directory/,
    says: /^\/process\/cwd: chdir to cwd \("\/nowhere"\) failed: no such file or directory$/,
  },
  {
    name: 'a cwd that is a file',
    flags: ['--cwd', '/data'],
    engines: /not a directory/,
    says: /^\/process\/cwd: chdir to cwd \("\/data"\) failed: not a directory$/,
  },
  {
    name: 'a cwd that leads out by a magic link (CVE-2024-21626)',
    flags: ['--cwd', '/proc/self/fd/4'],
    says: /^\/process\/cwd: /,
  },
  {
    name: 'descriptors that are not open',
    flags: ['--preserve-fds', '2'],
    says: /^--preserve-fds: file descriptor 3 is not open \(2 asked for\)$/,
  },
  {
    name: 'a cgroup that is not there',
    flags: ['--cgroup', 'nowhere'],
    says: /^--cgroup: .*nowhere.*ENOENT/,
  },
  {
    name: 'a controller that is not there',
    flags: ['--cgroup', 'magic:sub'],
    says: /^--cgroup: the container has no v1 controller "magic": /,
  },
  {
    name: 'a pidfd socket that nobody listens on',
    flags: ['--pidfd-socket', '/nowhere'],
    says: /^--pidfd-socket: connect\("\/nowhere"\): ENOENT$/,
  },
  {
    name: 'a pid file that cannot be',
    // runc finds out once the program has run.
    flags: ['--pid-file', '/nowhere/pid'],
    says: /^--pid-file: open\("\/nowhere\/\.pid\.\d+"\): ENOENT: no such file or directory$/,
  },
]

function listProcesses(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

/** Of a process; empty when it is gone, or only not reaped yet. */
function readCgroup(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`) && readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  } catch {
    return ''
  }
}

/** The message without the name of the command. */
function refuse(runtime: Runtime, words: readonly string[]): string {
  return fail(runtime, ['exec', ...words], {}, 255).replace(/^exec tsrunc-test-\S+: /, '')
}

describeContainers('exec refuses', (runtime) => {
  it('what cannot be, with 255, one message, and nothing left', () => {
    const { id, pid } = startContainer(runtime, (_, bundle) => prepareRoot(bundle))
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    const tasks = () => listProcesses().filter((other) => readCgroup(other) === cgroup)
    const before = tasks()
    for (const { name, flags = [], words = ['/probe'], engines, says } of CASES) {
      if (runtime.name === 'runc' && engines === undefined) continue
      const message = refuse(runtime, [...flags, id, ...words])
      if (engines !== undefined) expect(message, name).toMatch(engines)
      if (runtime.name === 'tsrunc') expect(message, name).toMatch(says)
      expect(tasks(), name).toEqual(before)
    }
    expect(execReport(runtime, id).hostname).toBe('base')
  })

  it('a container that is not there, has stopped, is paused', async () => {
    expect(refuse(runtime, [freshId(runtime), 'x'])).toMatch(/container does not exist/)
    const { id } = createContainer(runtime, [['report']])
    invoke(runtime, ['kill', id, 'KILL'])
    await waitForStatus(runtime, id, 'stopped')
    expect(refuse(runtime, [id, 'x'])).toMatch(/cannot exec in a stopped container/)
  })
})

describeContainers('exec --process refuses', (runtime) => {
  it.skipIf(runtime.name === 'runc')('a file that is wrong, with line and column', () => {
    const container = startContainer(runtime)
    const refuseFile = (text: string): string => {
      const file = join(container.bundle.directory, 'wrong.json')
      writeFileSync(file, text)
      return refuse(runtime, ['--process', file, container.id]).replace(file, 'FILE')
    }
    expect(refuseFile('{')).toMatch(/^FILE:1:2: expected/)
    expect(refuseFile('[]')).toMatch(/^FILE:1:1: expected an object, found an array$/)
    expect(refuseFile('{\n "args": ["x"],\n "cwd": "tmp"}')).toBe(
      'FILE:3:9: /cwd: expected an absolute path, found "tmp"',
    )
    expect(refuseFile('{"cwd": "/"}')).toMatch(
      /\/args: expected at least the program, found nothing/,
    )
    expect(refuseFile('{"cwd": "/", "args": ["x"], "user": {"uid": "0"}}')).toMatch(
      /^FILE:1:\d+: \/user\/uid: expected an integer, found "0"$/,
    )
    expect(refuseFile('{"cwd": "/", "args": ["x"], "env": ["A"], "oomScoreAdj": 5000}')).toMatch(
      /\/env\/0: expected NAME=VALUE, found "A"; .*\/oomScoreAdj: expected -1000 to 1000, found 5000/,
    )
    if (!existsSync('/sys/fs/selinux/enforce')) {
      expect(refuseFile('{"cwd": "/", "args": ["x"], "selinuxLabel": "a:b:c:d"}')).toMatch(
        /^FILE:1:\d+: .*selinuxLabel/,
      )
    }
    const both = refuse(runtime, ['--process', '/nowhere', container.id, 'x'])
    expect(both).toBe('--process names the program: "x" is one too many')
    expect(readState(runtime, container.id).status).toBe('running')
  })

  it.skipIf(runtime.name === 'runc')('a fifo, and nobody waits', () => {
    const container = startContainer(runtime)
    const fifo = join(container.bundle.directory, 'fifo')
    execFileSync('mkfifo', [fifo])
    expect(refuse(runtime, ['--process', fifo, container.id])).toBe(`${fifo}: not a regular file`)
  })

  it('flags beside the file have no effect, and say so', () => {
    const container = startContainer(runtime)
    const result = execFile(runtime, container, { cwd: '/' }, { flags: ['--cwd', '/tmp'] })
    expect(result.status).toBe(0)
    expect(result.stdout).toContain('"cwd":"/"')
    if (runtime.name === 'tsrunc') expect(result.stderr).toContain('--cwd has no effect')
  })
})
