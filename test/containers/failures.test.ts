import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  createBundle,
  describeContainers,
  freshId,
  invoke,
  type Patch,
  type Runtime,
} from './rig.ts'

/** create of something that cannot be; what it says, and that nothing is left. */
function fail(runtime: Runtime, patch: Patch, globals: readonly string[] = []): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  const bundle = createBundle(patch)
  const id = freshId(runtime)
  const result = invoke(runtime, ['create', '--bundle', bundle.directory, id], { globals })
  expect(result.status).toBe(1)
  expect(result.stdout).toBe('')
  expect(result.stderr).not.toMatch(/\n\s+at |internal error/)
  expect(invoke(runtime, ['state', id]).status).toBe(1)
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts)
  return result.stderr
}

function writeProgram(rootfs: string, content: string | Buffer, mode = 0o755): void {
  writeFileSync(join(rootfs, 'program'), content)
  chmodSync(join(rootfs, 'program'), mode)
}

describeContainers('args that cannot be run', (runtime) => {
  it('a name that is nowhere in PATH', () => {
    const message = fail(runtime, (config) => {
      config.process.args = ['no-such-program']
    })
    expect(message).toContain('executable file not found in $PATH')
  })

  it('a path that does not exist', () => {
    const message = fail(runtime, (config) => {
      config.process.args = ['/no/such/program']
    })
    expect(message).toMatch(/no such file or directory/)
  })

  it('a file that is not executable', () => {
    const message = fail(runtime, (config, { rootfs }) => {
      writeProgram(rootfs, '#!/probe\n', 0o644)
      config.process.args = ['/program']
    })
    expect(message).toMatch(/permission denied/)
  })

  it('a directory', () => {
    const message = fail(runtime, (config) => {
      config.process.args = ['/tmp']
    })
    expect(message).toMatch(/permission denied|is a directory/)
  })

  // runc learns of these only from execve, after start.
  it.skipIf(runtime.name === 'runc')('a script whose interpreter is missing', () => {
    const message = fail(runtime, (config, { rootfs }) => {
      writeProgram(rootfs, '#!/no/such/interpreter -x\n')
      config.process.args = ['/program']
    })
    expect(message).toContain('interpreter')
    expect(message).toMatch(/no such file or directory/)
  })

  it.skipIf(runtime.name === 'runc')('a file of no known format', () => {
    const bundle = createBundle((config, { rootfs }) => {
      writeProgram(rootfs, 'no program\n')
      config.process.args = ['/program']
    })
    const result = invoke(runtime, ['run', '--bundle', bundle.directory, freshId(runtime)])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/exec format error|ENOEXEC/)
  })
})

describeContainers('bad bundles', (runtime) => {
  it('no bundle', () => {
    const result = invoke(runtime, ['create', '--bundle', '/no/such/bundle', freshId(runtime)])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('/no/such/bundle')
  })

  it('no config.json', () => {
    const bundle = createBundle()
    rmSync(join(bundle.directory, 'config.json'))
    const result = invoke(runtime, ['create', '--bundle', bundle.directory, freshId(runtime)])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('config.json')
  })

  const texts = ['', '{', '[]', '{"ociVersion":7}', '{"ociVersion":"1.0.2",}', 'null']
  // runc 1.1 panics at null.
  it.each(texts.slice(0, runtime.name === 'runc' ? 5 : 6))('config.json is %j', (text) => {
    const bundle = createBundle()
    writeFileSync(join(bundle.directory, 'config.json'), text)
    const result = invoke(runtime, ['create', '--bundle', bundle.directory, freshId(runtime)])
    expect(result.status).toBe(1)
    expect(result.stderr.trim().split('\n')).toHaveLength(1)
  })

  it('no rootfs', () => {
    const message = fail(runtime, (config) => {
      config.root.path = 'nowhere'
    })
    expect(message).toContain('nowhere')
  })

  it('a rootfs that is a file', () => {
    fail(runtime, (config, { directory }) => {
      writeFileSync(join(directory, 'plain'), '')
      config.root.path = 'plain'
    })
  })

  it('a relative cwd', () => {
    const message = fail(runtime, (config) => {
      config.process.cwd = 'relative'
    })
    expect(message).toMatch(/cwd/i)
  })

  it('no args', () => {
    fail(runtime, (config) => {
      config.process.args = []
    })
  })

  it('a destination below a file', () => {
    fail(runtime, (config, { rootfs }) => {
      writeFileSync(join(rootfs, 'plain'), '')
      config.mounts.push({ destination: '/plain/below', type: 'tmpfs' })
    })
  })

  it('links that lead in a circle', () => {
    fail(runtime, (config, { rootfs }) => {
      symlinkSync('loop', join(rootfs, 'loop'))
      config.mounts.push({ destination: '/loop', type: 'tmpfs' })
    })
  })

  it('a bind of a directory over a file', () => {
    fail(runtime, (config, { rootfs, directory }) => {
      mkdirSync(join(directory, 'source'))
      writeFileSync(join(rootfs, 'plain'), '')
      config.mounts.push({ destination: '/plain', source: 'source', options: ['bind'] })
    })
  })

  it.skipIf(runtime.name === 'runc')('a failing call names field, call, errno', () => {
    const message = fail(runtime, (config) => {
      config.mounts.push({ destination: '/data', type: 'tmpfs', options: ['size=nonsense'] })
    })
    expect(message).toMatch(/\/mounts\/4: .*\(.*\).*E[A-Z]+/)
  })
})

describeContainers('the log', (runtime) => {
  it('--log-format json has exactly one record of an error', () => {
    const bundle = createBundle((config) => {
      config.process.args = ['no-such-program']
    })
    const log = join(bundle.directory, 'log.json')
    const globals = ['--log', log, '--log-format', 'json']
    const args = ['create', '--bundle', bundle.directory, freshId(runtime)]
    const result = invoke(runtime, args, { globals })
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    expect(lines).toHaveLength(1)
    const record = JSON.parse(lines[0] ?? '') as Record<string, string>
    expect(record).toMatchObject({ level: 'error' })
    expect(record.msg).toContain('executable file not found in $PATH')
    expect(record.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)
    expect(result.stderr.trim()).toBe(record.msg)
  })

  it('it is appended to, also for a command line that is wrong', () => {
    const { directory } = createBundle()
    const log = join(directory, 'log.json')
    writeFileSync(log, 'before\n')
    const globals = ['-log', log, '-log-format=json']
    expect(invoke(runtime, ['state', 'tsrunc-test-unknown'], { globals }).status).toBe(1)
    expect(readFileSync(log, 'utf8')).toMatch(/^before\n\{.*does not exist.*\}\n$/)
  })
})
