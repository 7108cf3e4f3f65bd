import { spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import {
  createBundle,
  createContainer,
  describeContainers,
  parseValues,
  type Runtime,
  readState,
  runContainer,
  waitUntil,
} from './rig.ts'

/** The runtime as a caller starts it that passes descriptors by the systemd protocol. */
function passing(runtime: Runtime, count: number, pid: string): Runtime {
  const { directory } = createBundle()
  const path = join(directory, 'wrapper.sh')
  const lines = `#!/bin/sh\nexport LISTEN_FDS=${count} LISTEN_PID=${pid}\nexec ${runtime.path} "$@"\n`
  writeFileSync(path, lines)
  chmodSync(path, 0o755)
  return { ...runtime, path }
}

describeContainers('descriptors and sockets', (runtime) => {
  it('LISTEN_FDS reaches the container, with LISTEN_PID 1', () => {
    const result = runContainer(passing(runtime, 2, '$$'), [['report']], () => {}, {
      descriptors: [0, 0],
    })
    const [report] = parseValues(result.stdout) as [{ fds: number[]; env: string[] }]
    expect(report.fds).toEqual([0, 1, 2, 3, 4])
    expect(report.env).toEqual(expect.arrayContaining(['LISTEN_FDS=2', 'LISTEN_PID=1']))
  })

  it('LISTEN_FDS for another process stays with us', () => {
    const result = runContainer(passing(runtime, 2, '1'), [['report']], () => {}, {
      descriptors: [0, 0],
    })
    const [report] = parseValues(result.stdout) as [{ fds: number[]; env: string[] }]
    expect(report.fds).toEqual([0, 1, 2])
    expect(report.env.join()).not.toContain('LISTEN')
  })

  it('descriptors that nobody asked for stay outside', () => {
    const result = runContainer(runtime, [['report']], () => {}, { descriptors: [0, 0, 0] })
    expect(parseValues(result.stdout)[0]).toMatchObject({ fds: [0, 1, 2] })
  })

  it('--preserve-fds passes as many on, after those of LISTEN_FDS', () => {
    const result = runContainer(passing(runtime, 1, '$$'), [['report']], () => {}, {
      descriptors: [0, 0, 0, 0],
      flags: ['--preserve-fds', '2'],
    })
    const [report] = parseValues(result.stdout) as [{ fds: number[]; env: string[] }]
    expect(report.fds).toEqual([0, 1, 2, 3, 4, 5])
    expect(report.env).toContain('LISTEN_FDS=1')
  })

  it('--pid-file holds the pid and nothing else', () => {
    const { bundle, id, pid } = createContainer(runtime, [['report']])
    expect(readFileSync(join(bundle.directory, 'pid'), 'utf8')).toBe(`${pid}`)
    expect(readState(runtime, id).pid).toBe(pid)
  })

  it.skipIf(runtime.name === 'runc')(
    '--pidfd-socket gets a pidfd of init (not in runc 1.1)',
    async () => {
      const { directory } = createBundle()
      const socket = join(directory, 'socket')
      const receiver = spawn(inject('probe'), ['receive', socket], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      receiver.stdout.on('data', (chunk) => {
        output += chunk
      })
      await waitUntil('the socket', () => existsSync(socket))
      const { pid } = createContainer(runtime, [['report']], () => {}, {
        flags: ['--pidfd-socket', socket],
      })
      await waitUntil('the message', () => output.includes(']'))
      const [received] = parseValues(output) as [{ bytes: number; link: string; info: string }]
      expect(received.bytes).toBeGreaterThan(0)
      expect(received.link).toContain('pidfd')
      expect(received.info).toMatch(new RegExp(`^Pid:\\s+${pid}$`, 'm'))
    },
  )
})
