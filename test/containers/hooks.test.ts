import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Config } from './config.ts'
import {
  type Bundle,
  createBundle,
  createContainer,
  describeContainers,
  freshId,
  invoke,
  type Patch,
  probeArguments,
  type Runtime,
  waitForStatus,
} from './rig.ts'

const NAMES = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
type HookName = (typeof NAMES)[number]

/** A shell script of the host; its record lies in the bundle. */
function writeScript({ directory }: Bundle, name: string, lines: string): string {
  const path = join(directory, `${name}.sh`)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`)
  chmodSync(path, 0o755)
  return path
}

/** Each hook that runs outside appends its name to `order`, and keeps its stdin. */
function recordHooks(names: readonly HookName[]): Patch {
  return (config, bundle) => {
    for (const name of names) {
      const record = join(bundle.directory, name)
      const path = writeScript(
        bundle,
        name,
        `cat > ${record}.state; echo ${name} >> ${bundle.directory}/order; env > ${record}.env; pwd > ${record}.cwd`,
      )
      addHook(config, name, { path, args: [name], env: ['PATH=/usr/bin:/bin', 'MINE=1'] })
    }
  }
}

function addHook(
  config: Config,
  name: HookName,
  hook: { path: string; args?: string[]; env?: string[]; timeout?: number },
): void {
  config.hooks = { ...config.hooks, [name]: [...(config.hooks?.[name] ?? []), hook] }
}

function readOrder({ directory }: Bundle): string[] {
  const path = join(directory, 'order')
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}

function readHookState({ directory }: Bundle, name: HookName): Record<string, unknown> {
  return JSON.parse(readFileSync(join(directory, `${name}.state`), 'utf8')) as Record<
    string,
    unknown
  >
}

/** create with a hook that fails; what is left of it. */
function createFailing(runtime: Runtime, patch: Patch) {
  const bundle = createBundle((config, own) => {
    config.process.args = probeArguments([['report']])
    patch(config, own)
  })
  const id = freshId(runtime)
  const result = invoke(runtime, ['create', '--bundle', bundle.directory, id])
  return { ...result, bundle, isGone: invoke(runtime, ['state', id]).status !== 0 }
}

describeContainers('hooks', (runtime) => {
  it('run in the order of the spec, each at its time', async () => {
    const { id, bundle } = createContainer(
      runtime,
      [['exit', '0']],
      recordHooks(['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']),
    )
    const atCreate = ['prestart', 'createRuntime', 'createContainer']
    expect(readOrder(bundle).slice(0, 3)).toEqual(atCreate)
    invoke(runtime, ['start', id])
    expect(readOrder(bundle)).toEqual([...atCreate, 'poststart'])
    await waitForStatus(runtime, id, 'stopped')
    invoke(runtime, ['delete', id])
    expect(readOrder(bundle)).toEqual([...atCreate, 'poststart', 'poststop'])
  })

  it('get the state on stdin', async () => {
    const { id, pid, bundle } = createContainer(runtime, [['exit', '0']], (config, own) => {
      config.annotations = { key: 'value' }
      recordHooks(['createRuntime', 'createContainer', 'poststart', 'poststop'])(config, own)
    })
    const common = { id, bundle: bundle.directory, annotations: { key: 'value' } }
    expect(readHookState(bundle, 'createRuntime')).toMatchObject({
      ...common,
      pid,
      status: 'creating',
    })
    expect(readHookState(bundle, 'createContainer')).toMatchObject({
      ...common,
      status: 'creating',
    })
    invoke(runtime, ['start', id])
    expect(readHookState(bundle, 'poststart')).toMatchObject({ ...common, pid })
    await waitForStatus(runtime, id, 'stopped')
    invoke(runtime, ['delete', id])
    expect(readHookState(bundle, 'poststop')).toMatchObject({ ...common, status: 'stopped' })
  })

  it('get exactly the environment that the config gives', () => {
    const { bundle } = createContainer(runtime, [['exit', '0']], recordHooks(['createRuntime']))
    const environment = readFileSync(join(bundle.directory, 'createRuntime.env'), 'utf8')
    const names = environment
      .trim()
      .split('\n')
      .map((line) => line.replace(/=.*/, ''))
    // PWD and _ are the shell's own.
    expect(names.filter((name) => !['PWD', '_', 'OLDPWD', 'SHLVL'].includes(name)).sort()).toEqual([
      'MINE',
      'PATH',
    ])
  })

  it('createRuntime sees the finished tree in the namespace of the container', () => {
    const { bundle } = createContainer(runtime, [['exit', '0']], (config, own) => {
      const path = writeScript(
        own,
        'look',
        `pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/')
nsenter --mount=/proc/$pid/ns/mnt stat -c %F ${own.rootfs}/dev/null > ${own.directory}/seen`,
      )
      addHook(config, 'createRuntime', { path, env: ['PATH=/usr/bin:/bin'] })
    })
    expect(readFileSync(join(bundle.directory, 'seen'), 'utf8')).toBe('character special file\n')
  })

  it('startContainer runs inside, before the program', async () => {
    const { id, bundle } = createContainer(
      runtime,
      [
        ['read', '/record'],
        ['read', '/proc/self/cwd'],
      ],
      (config) => {
        addHook(config, 'startContainer', {
          path: '/probe',
          args: ['probe', 'create', '/record', 'hook'],
        })
      },
    )
    expect(existsSync(join(bundle.rootfs, 'record'))).toBe(false)
    expect(invoke(runtime, ['start', id]).status).toBe(0)
    await waitForStatus(runtime, id, 'stopped')
    expect(readFileSync(join(bundle.rootfs, 'record'), 'utf8')).toBe('hook')
  })

  it.each(['prestart', 'createRuntime', 'createContainer'] as const)(
    'a failing %s fails create and leaves nothing',
    (name) => {
      const { status, stderr, isGone, bundle } = createFailing(runtime, (config, own) => {
        recordHooks(['poststop'])(config, own)
        const path = writeScript(own, 'fail', 'echo what went wrong >&2; exit 3')
        addHook(config, name, { path, env: ['PATH=/usr/bin:/bin'] })
      })
      expect(status).toBe(1)
      expect(isGone).toBe(true)
      expect(stderr).toContain('what went wrong')
      if (runtime.name === 'tsrunc') {
        expect(stderr).toContain(`/hooks/${name}/0`)
        expect(readOrder(bundle)).toEqual(['poststop'])
      }
    },
  )

  it('a failing startContainer fails start', () => {
    const { id } = createContainer(runtime, [['exit', '0']], (config) => {
      addHook(config, 'startContainer', { path: '/probe', args: ['probe', 'exit', '3'] })
    })
    const result = invoke(runtime, ['start', id])
    // runc tells of it in the log of its init only.
    if (runtime.name === 'tsrunc') {
      expect(result.status).toBe(1)
      expect(result.stderr).toContain('/hooks/startContainer/0')
    }
  })

  // runc 1.1 runs poststart after the program began and only logs its failure.
  it.skipIf(runtime.name === 'runc')('a failing poststart stops the container', async () => {
    const { id } = createContainer(runtime, [['sleep', '30']], (config, own) => {
      const path = writeScript(own, 'fail', 'exit 4')
      addHook(config, 'poststart', { path })
    })
    const result = invoke(runtime, ['start', id])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('/hooks/poststart/0')
    await waitForStatus(runtime, id, 'stopped')
  })

  it('a failing poststop does not fail delete', () => {
    const { id, bundle } = createContainer(runtime, [['exit', '0']], (config, own) => {
      addHook(config, 'poststop', { path: writeScript(own, 'fail', 'exit 5') })
      recordHooks(['poststop'])(config, own)
    })
    expect(invoke(runtime, ['delete', '--force', id]).status).toBe(0)
    // runc 1.1 runs no hook after one that failed.
    if (runtime.name === 'tsrunc') expect(readOrder(bundle)).toEqual(['poststop'])
  })

  it('a hook that does not exist is an error', () => {
    const { status, isGone } = createFailing(runtime, (config) => {
      addHook(config, 'createRuntime', { path: '/no/such/hook' })
    })
    expect([status, isGone]).toEqual([1, true])
  })

  // runc kills the hook alone, and waits for its children as long as they hold its output.
  it.skipIf(runtime.name === 'runc')(
    'a hook that takes longer than its timeout is killed with its children',
    () => {
      const begin = Date.now()
      const { status, isGone, bundle } = createFailing(runtime, (config, own) => {
        const lines = `sleep 300 & echo $! > ${own.directory}/child; wait`
        const path = writeScript(own, 'hang', lines)
        addHook(config, 'createRuntime', { path, timeout: 1, env: ['PATH=/usr/bin:/bin'] })
      })
      expect([status, isGone]).toEqual([1, true])
      expect(Date.now() - begin).toBeLessThan(10_000)
      const child = Number(readFileSync(join(bundle.directory, 'child'), 'utf8'))
      expect(existsSync(`/proc/${child}/exe`)).toBe(false)
    },
  )

  it('a hook that reads nothing of a large state is no deadlock', () => {
    createContainer(runtime, [['exit', '0']], (config, own) => {
      config.annotations = { large: 'x'.repeat(200_000) }
      addHook(config, 'createRuntime', { path: writeScript(own, 'ignore', 'exit 0') })
    })
  })
})
