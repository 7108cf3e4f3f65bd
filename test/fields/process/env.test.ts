import { describe, expect, test } from 'vitest'
import { containerEnvironment, env } from '../../../src/fields/process/env.ts'
import { planning } from '../facts.ts'

const from = (list: readonly string[], listenFds = 0) =>
  planning({
    spec: { process: { cwd: '/', env: list, user: { uid: 7 } } },
    options: { listenFds },
  })

function plan(list: readonly string[]) {
  if (!('plan' in env)) throw new Error('env is planned')
  return env.plan(list, '/process/env', from(list)).steps ?? []
}

describe('env', () => {
  test('of duplicates the last one counts', () => {
    const list = ['A=1', 'B=2', 'A=3', 'C==', 'D=']
    expect(containerEnvironment(from(list))).toEqual(['B=2', 'A=3', 'C==', 'D='])
  })

  test('HOME is looked up when it is absent or empty, and is not passed empty', () => {
    const lookup = [{ kind: 'read-home', phase: 'home', origin: '/process/env', uid: 7 }]
    expect(plan([])).toEqual(lookup)
    expect(plan(['HOME=/x', 'HOME='])).toEqual(lookup)
    expect(plan(['HOME=', 'HOME=/x'])).toEqual([])
    expect(containerEnvironment(from(['HOME=', 'A=1']))).toEqual(['A=1'])
  })

  test('absent is the same as empty', () => {
    if (!('plan' in env)) throw new Error('env is planned')
    expect(env.absent?.('/process/env', planning()).steps).toHaveLength(1)
  })

  test('sockets of the caller are announced, whatever the config says of them', () => {
    expect(containerEnvironment(from(['LISTEN_PID=9', 'A=1'], 2))).toEqual([
      'A=1',
      'LISTEN_FDS=2',
      'LISTEN_PID=1',
    ])
  })
})
