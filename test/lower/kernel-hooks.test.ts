import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Answer, Meeting } from '../../src/engine/protocol.ts'
import { lowerCreate, lowerHook } from '../../src/lower/lower.ts'
import { lowerTeardown, type StateDirectory } from '../../src/lower/teardown.ts'
import type { RunHook, Step } from '../../src/plan/steps.ts'
import { converse } from './converse.ts'
import { whyNoNamespaces } from './needs.ts'
import { makeDirectory, planShell } from './rig.ts'

const reason = whyNoNamespaces()
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64'

function identify(path: string, files: readonly string[]): StateDirectory {
  const { ino, birthtimeNs } = lstatSync(path, { bigint: true })
  const birth = { seconds: birthtimeNs / 1_000_000_000n, nanoseconds: birthtimeNs % 1_000_000_000n }
  return { path, files, directories: [], inode: ino, birth }
}

function hook(script: string, more: Partial<RunHook> = {}): RunHook {
  return {
    kind: 'run-hook',
    phase: 'runtime-hooks',
    origin: '/hooks/createRuntime/1',
    hook: 'createRuntime',
    path: '/bin/sh',
    args: ['hook', '-c', script],
    env: ['ONLY=this'],
    status: 'creating',
    ...more,
  }
}

function runHook(step: RunHook): {
  failure: string | undefined
  code: number | undefined
  output: string
} {
  const work = makeDirectory('hooks')
  writeFileSync(join(work, 'state'), '{"id":"x"}')
  writeFileSync(join(work, 'output'), '')
  const output = join(work, 'output')
  const fds = [openSync(join(work, 'state'), 'r'), openSync(output, 'a'), openSync(output, 'a')]
  const { failure, code } = converse(lowerHook(step, work, architecture), () => ({
    verdict: 'proceed',
    fds,
  }))
  fds.forEach(closeSync)
  return { failure, code, output: readFileSync(join(work, 'output'), 'utf8') }
}

describe.skipIf(reason !== undefined)(`hooks on the real kernel ${reason ?? ''}`, () => {
  test('a hook gets the state, its environment, the bundle as cwd and a session of its own', () => {
    const script =
      'cat; echo; env | grep -v -E "^(PWD|_|SHLVL|OLDPWD)="; pwd; ls /proc/self/fd; ps -o sid= $$'
    const { failure, code, output } = runHook(hook(script))
    expect(failure).toBeUndefined()
    expect(code).toBe(0)
    expect(output).toMatch(/^\{"id":"x"\}\nONLY=this\n\/\S+\/hooks\n0\n1\n2\n3\n/)
  })

  test('its exit status, its signal and its missing file are told', () => {
    expect(runHook(hook('echo words >&2; exit 3'))).toEqual({
      failure: 'createRuntime hook #1 (/bin/sh): exit status 3',
      code: 1,
      output: 'words\n',
    })
    expect(runHook(hook('kill -9 $$')).failure).toBe(
      'createRuntime hook #1 (/bin/sh): killed by signal 9',
    )
    const missing = runHook(hook('', { path: '/no/hook', args: ['hook'] }))
    expect(missing.failure).toBe('createRuntime hook #1 (/no/hook): exit status 1')
  })

  test('a hook that is too slow is killed with all of its children', () => {
    const began = Date.now()
    const work = makeDirectory('slow')
    const mark = join(work, 'mark')
    const script = `(sleep 2; touch ${mark}) & sleep 60`
    const { failure } = runHook(hook(script, { timeout: 1 }))
    expect(failure).toBe('createRuntime hook #1 (/bin/sh): ran longer than its timeout of 1 s')
    expect(Date.now() - began).toBeLessThan(5000)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)
    expect(existsSync(mark)).toBe(false)
  })

  test('inside a container, hooks, host steps and exchanges come in the order of the plan', () => {
    const root = makeDirectory('ordered')
    mkdirSync(join(root, 'old'))
    mkdirSync(join(root, 'etc'))
    writeFileSync(join(root, 'old/file'), '')
    writeFileSync(join(root, 'etc/passwd'), 'u:x:0:0::/home/u:/bin/sh\n')
    const origin = '/test'
    const oom: Step = { kind: 'set-oom-score', phase: 'process', origin, value: 0 }
    const before: Step[] = [
      oom,
      {
        kind: 'mount-filesystem',
        phase: 'mounts',
        origin,
        destination: '/old',
        type: 'tmpfs',
        source: 'tmpfs',
        parameters: [],
        attributes: { set: [], clear: [] },
        recursiveAttributes: { set: [], clear: [] },
        propagation: [],
        copyUp: true,
      },
      hook(`umask; test -d ${root}/usr && echo tree`, {
        hook: 'createContainer',
        phase: 'container-hooks',
      }),
    ]
    const steps = planShell({ root, before, script: 'echo $HOME; ls /old' }).flatMap(
      (step): Step[] => {
        if (step.kind === 'execute') {
          const inspect = {
            kind: 'inspect-executable',
            phase: 'executable',
            origin,
            name: 'sh',
          } as const
          return [{ kind: 'read-home', phase: 'home', origin, uid: 0 }, inspect, step]
        }
        return [step]
      },
    )
    const { program, meets } = lowerCreate({ warnings: [], steps }, { architecture, bundle: '/' })
    const output = openSync(join(makeDirectory('hooks'), 'inner'), 'w+')
    const seen: string[] = []
    const serve = (meeting: Meeting): Answer | undefined => {
      const meet = meets.get(meeting.number)
      const name = meet?.kind === 'exchange' ? meet.step.kind : (meet?.kind ?? 'unknown')
      seen.push(`${name} ${meeting.fds.length}`)
      if (name === 'cloned') return undefined
      if (name === 'run-hook') return { verdict: 'proceed', fds: [output, output, output] }
      const bytes = name === 'read-home' ? Buffer.from('HOME=/home/u\0') : undefined
      return { verdict: 'proceed', ...(bytes && { bytes }) }
    }
    const { stdout, failure } = converse(program, serve)
    expect(failure).toBeUndefined()
    // The child's meets may overtake what its parent tells.
    expect(seen).toContain('cloned 1')
    expect(seen.filter((name) => name !== 'cloned 1')).toEqual([
      'host 0',
      'mount-filesystem 2',
      'run-hook 0',
      'read-home 1',
      'inspect-executable 1',
    ])
    expect(stdout).toBe('/home/u\n')
    const umask = process.umask().toString(8).padStart(4, '0')
    expect(readFileSync(`/proc/self/fd/${output}`, 'utf8')).toBe(`${umask}\ntree\n`)
    closeSync(output)
  })

  test('an interpreter that the runtime names must exist', () => {
    const root = makeDirectory('interpreter')
    const steps = planShell({ root, script: 'true' }).flatMap((step): Step[] => {
      const inspect = {
        kind: 'inspect-executable',
        phase: 'executable',
        origin: '/process/args/0',
        name: 'sh',
      } as const
      return step.kind === 'execute' ? [inspect, step] : [step]
    })
    const { program, meets } = lowerCreate({ warnings: [], steps }, { architecture, bundle: '/' })
    const serve = (meeting: Meeting): Answer | undefined =>
      meets.get(meeting.number)?.kind === 'cloned'
        ? undefined
        : { verdict: 'proceed', bytes: Buffer.from('/no/ld.so\0') }
    expect(converse(program, serve).failure).toBe(
      'exec: "sh": no such file or directory: its interpreter is missing',
    )
  })

  test('the teardown removes cgroup and state, and runs poststop hooks between', () => {
    const state = makeDirectory('state')
    const work = makeDirectory('teardown')
    const parent = '/sys/fs/cgroup/pids/tsrunc-test-lower-teardown'
    const cgroup = `${parent}/inner`
    const isV1 = existsSync('/sys/fs/cgroup/pids')
    const cgroups = isV1 ? ([{ path: cgroup, version: 1 }] as const) : []
    if (isV1) mkdirSync(cgroup, { recursive: true })
    writeFileSync(join(state, 'state.json'), '')
    const script = `cat > seen; test -e ${state}/state.json && echo state >> seen; test ! -e ${cgroup}`
    const program = lowerTeardown({
      architecture,
      cgroups: [...cgroups, { path: `${work}/missing`, version: 2 }],
      parents: isV1 ? [parent, `${parent}-missing`] : [],
      poststop: [
        {
          step: hook(script, { hook: 'poststop', origin: '/hooks/poststop/0' }),
          state: Buffer.from('stopped\n'),
        },
      ],
      bundle: work,
      stateDirectory: identify(state, ['state.json', 'never-made']),
    })
    const { failure, code } = converse(program)
    expect(failure).toBeUndefined()
    expect(code).toBe(0)
    expect(existsSync(state)).toBe(false)
    expect(existsSync(parent)).toBe(false)
    expect(readFileSync(join(work, 'seen'), 'utf8')).toBe('stopped\nstate\n')
  })

  test('a teardown ends with a failure when something unexpected is left', () => {
    const state = makeDirectory('leftover')
    writeFileSync(join(state, 'unknown'), '')
    const program = lowerTeardown({
      architecture,
      cgroups: [],
      parents: [],
      poststop: [],
      bundle: '/',
      stateDirectory: identify(state, []),
    })
    const { failure, code } = converse(program)
    expect(failure).toContain('ENOTEMPTY')
    expect(code).toBe(1)
  })

  test.each([
    ['another inode', { inode: 1n }],
    ['another birth', { birth: { seconds: 1n, nanoseconds: 2n } }],
    ['nothing', { path: '/nowhere' }],
  ])('a teardown that finds %s in its place touches nothing', (_, other) => {
    const state = makeDirectory('later')
    const work = makeDirectory('untouched')
    writeFileSync(join(state, 'state.json'), '')
    const program = lowerTeardown({
      architecture,
      cgroups: [{ path: work, version: 1 }],
      parents: [],
      poststop: [
        {
          step: hook(`touch ${work}/ran`, { hook: 'poststop', origin: '/hooks/poststop/0' }),
          state: Buffer.from(''),
        },
      ],
      bundle: '/',
      stateDirectory: { ...identify(state, ['state.json']), ...other },
    })
    expect(converse(program)).toMatchObject({ failure: undefined, code: 0 })
    expect([existsSync(join(state, 'state.json')), existsSync(work)]).toEqual([true, true])
    expect(existsSync(join(work, 'ran'))).toBe(false)
  })

  test('a poststop hook that fails does not keep a teardown from its end', () => {
    const state = makeDirectory('tolerant')
    const work = makeDirectory('marks')
    const poststop = ['exit 3', 'kill -9 $$', 'sleep 60', `touch ${work}/last`].map((script) => ({
      step: hook(script, { hook: 'poststop', origin: '/hooks/poststop/0', timeout: 1 }),
      state: Buffer.from(''),
    }))
    const stateDirectory = identify(state, [])
    const shared = { architecture, cgroups: [], parents: [], bundle: '/' } as const
    const { failure, code } = converse(lowerTeardown({ ...shared, poststop, stateDirectory }))
    expect([failure, code]).toEqual([undefined, 0])
    expect([existsSync(state), existsSync(join(work, 'last'))]).toEqual([false, true])
  })
})
