/** `--config`, of crun: not in runc. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  createBundle,
  describeContainers,
  freshId,
  invoke,
  parseValues,
  probeArguments,
} from './rig.ts'

describeContainers('run --config', (runtime) => {
  if (runtime.name === 'runc') {
    it.skip('(runc has no --config)', () => {})
    return
  }

  /** A bundle whose config is somewhere else. */
  function prepare() {
    const { directory } = createBundle((config) => {
      config.process.args = probeArguments([['list', '/etc']])
    })
    const file = join(directory, 'other.json')
    renameSync(join(directory, 'config.json'), file)
    return { directory, file, text: readFileSync(file, 'utf8') }
  }

  it('reads another file; the rootfs stays where the bundle is', () => {
    const { directory, file } = prepare()
    const args = ['run', '--bundle', directory, '--config', file, freshId(runtime)]
    const result = invoke(runtime, args)
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(parseValues(result.stdout)).toEqual([[]])
  })

  it('reads stdin', () => {
    const { directory, text } = prepare()
    const args = ['run', '-b', directory, '-f', '-', freshId(runtime)]
    const result = invoke(runtime, args, { input: text })
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(parseValues(result.stdout)).toEqual([[]])
  })

  it('what is wrong with it is told with its name', () => {
    const { directory, file } = prepare()
    writeFileSync(file, '{"ociVersion": 1}')
    const args = ['create', '--bundle', directory, '--config', file, freshId(runtime)]
    expect(invoke(runtime, args).stderr).toMatch(/other\.json:1:16: \/ociVersion: expected/)
    const fromStdin = ['create', '--bundle', directory, '--config=-', freshId(runtime)]
    const { status, stderr } = invoke(runtime, fromStdin, { input: '{' })
    expect(status).toBe(1)
    expect(stderr).toMatch(/stdin:1:\d+:/)
    const missing = ['create', '--bundle', directory, '--config', '/no/such', freshId(runtime)]
    expect(invoke(runtime, missing).stderr).toContain('/no/such: no such file')
  })
})
