import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { closeFd } from '../../src/sys/fd.ts'
import { callKernel } from '../../src/sys/ffi.ts'
import { openJournal, openSyslog } from '../../src/sys/log-daemons.ts'
import { receiveMessage } from '../../src/sys/socket.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2

/** A daemon: a datagram socket with a name. */
function listen(): { path: string; receive: () => string | undefined } {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-daemon-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'socket')
  const socket = callKernel('socket', [AF_UNIX, SOCK_DGRAM, 0], 'socket')
  const address = Buffer.from(`\u0001\0${path}\0`)
  callKernel('bind', [socket, address, address.length], 'bind')
  onTestFinished(() => closeFd(socket))
  return { path, receive: () => receiveMessage(socket, 4096)?.bytes.toString() }
}

describe('the daemons of a log', () => {
  it('the journal gets a field a line, whatever the message holds', () => {
    const { path, receive } = listen()
    openJournal('web\nPRIORITY=0', path)(3, 'it\nbroke')
    expect(receive()).toBe('PRIORITY=3\nSYSLOG_IDENTIFIER=web PRIORITY=0\nMESSAGE=it broke\n')
  })

  it('syslog gets one line with the priority of a daemon', () => {
    const { path, receive } = listen()
    openSyslog('web', path)(4, 'careful')
    expect(receive()).toBe(`<28>web[${process.pid}]: careful`)
  })

  it('a daemon that is not there is told of before anything is done', () => {
    expect(() => openJournal('web', '/no/such/socket')).toThrow(
      'connect("/no/such/socket"): ENOENT',
    )
  })

  it('a daemon that does not read keeps nobody waiting', () => {
    const send = openSyslog('web', listen().path)
    const message = 'x'.repeat(1000)
    expect(() => {
      for (let count = 0; count < 10_000; count++) send(4, message)
    }).toThrow('EAGAIN')
  })
})
