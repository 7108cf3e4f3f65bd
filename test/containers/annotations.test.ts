/** Annotations of crun that engines and users rely on; runc knows none of them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it, onTestFinished } from 'vitest'
import {
  createBundle,
  createContainer,
  describeContainers,
  probe,
  type Runtime,
  runContainer,
  waitUntil,
} from './rig.ts'

function describeAnnotation(name: string, define: (runtime: Runtime) => void): void {
  describeContainers(`annotations: ${name}`, (runtime) => {
    if (runtime.name === 'runc') it.skip('skipped: the annotation is one of crun', () => {})
    else define(runtime)
  })
}

describeAnnotation('run.oci.hooks.stdout, run.oci.hooks.stderr', (runtime) => {
  it('take what all hooks print, one behind the other', () => {
    let files: string[] = []
    const { status } = runContainer(runtime, [['exit', '0']], (config, { directory }) => {
      const script = join(directory, 'hook')
      writeFileSync(script, '#!/bin/sh\necho "out $1"\necho "err $1" >&2\n', { mode: 0o755 })
      const hook = (name: string) => [{ path: script, args: ['hook', name] }]
      config.hooks = {
        createRuntime: hook('createRuntime'),
        createContainer: hook('createContainer'),
        poststart: hook('poststart'),
        poststop: hook('poststop'),
      }
      files = ['stdout', 'stderr'].map((name) => join(directory, name))
      config.annotations = {
        'run.oci.hooks.stdout': files[0] ?? '',
        'run.oci.hooks.stderr': files[1] ?? '',
      }
    })
    expect(status).toBe(0)
    const names = ['createRuntime', 'createContainer', 'poststart', 'poststop']
    const linesOf = (word: string) => names.map((name) => `${word} ${name}\n`).join('')
    expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual([
      linesOf('out'),
      linesOf('err'),
    ])
  })
})

describeAnnotation('run.oci.keep_original_groups', (runtime) => {
  /** The runtime as someone with two more groups would call it. */
  function asMember(): Runtime {
    const { directory } = createBundle()
    const path = join(directory, 'as-member')
    writeFileSync(path, `#!/bin/sh\nexec setpriv --groups 7,8 ${runtime.path} "$@"\n`)
    chmodSync(path, 0o755)
    return { ...runtime, path }
  }

  it.each([
    ['1', [7, 8]],
    ['0', [5]],
  ])('%s', (value, groups) => {
    const [report] = probe(asMember(), [['report']], (config) => {
      config.process.user.additionalGids = [5]
      config.annotations = { 'run.oci.keep_original_groups': value }
    })
    expect((report as { groups: number[] }).groups.toSorted()).toEqual(groups)
  })
})

describeAnnotation('run.oci.pidfd_receiver', (runtime) => {
  it('gets a pidfd', async () => {
    const { directory } = createBundle()
    const socket = join(directory, 'pidfd')
    const receiver = spawn(inject('probe'), ['receive', socket])
    onTestFinished(() => void receiver.kill('SIGKILL'))
    let output = ''
    receiver.stdout.on('data', (chunk) => {
      output += chunk
    })
    const ended = once(receiver, 'close')
    await waitUntil('the receiver', () => existsSync(socket))
    const { pid } = createContainer(runtime, [['exit', '0']], (config) => {
      config.annotations = { 'run.oci.pidfd_receiver': socket }
    })
    await ended
    const [received] = JSON.parse(output) as [{ link: string; info: string }]
    expect(received.link).toContain('pidfd')
    expect(received.info).toContain(`Pid:\t${pid}\n`)
  })
})
