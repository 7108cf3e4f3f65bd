import { describe, expect, test } from 'vitest'
import { args } from '../../../src/fields/process/args.ts'
import { planning } from '../facts.ts'

function plan(list: readonly string[], env: readonly string[] = []) {
  if (!('plan' in args)) throw new Error('args is planned')
  const from = planning({ spec: { process: { cwd: '/', args: list, env } } })
  return args.plan(list, '/process/args', from).steps ?? []
}

const candidatesOf = (name: string, ...env: string[]) =>
  plan([name], env).flatMap((step) => (step.kind === 'find-executable' ? step.candidates : []))

describe('args', () => {
  test('the program is found, inspected and executed', () => {
    expect(plan(['sh', '-c', 'true'], ['PATH=/a:/b/', 'HOME=/root'])).toEqual([
      {
        kind: 'find-executable',
        phase: 'executable',
        origin: '/process/args/0',
        name: 'sh',
        candidates: ['/a/sh', '/b/sh'],
      },
      { kind: 'inspect-executable', phase: 'executable', origin: '/process/args/0', name: 'sh' },
      {
        kind: 'execute',
        phase: 'execute',
        origin: '/process/args',
        args: ['sh', '-c', 'true'],
        env: ['PATH=/a:/b/', 'HOME=/root'],
      },
    ])
  })

  test('a name with a slash is a path', () => {
    expect(candidatesOf('bin/sh', 'PATH=/a')).toEqual(['bin/sh'])
  })

  test('an empty part of PATH is the cwd, no PATH is execvp’s', () => {
    expect(candidatesOf('sh', 'PATH=:/a::')).toEqual(['./sh', '/a/sh'])
    expect(candidatesOf('sh')).toEqual(['/bin/sh', '/usr/bin/sh'])
    expect(candidatesOf('sh', 'PATH=')).toEqual(['/bin/sh', '/usr/bin/sh'])
  })

  test('of two PATHs the last one counts', () => {
    expect(candidatesOf('sh', 'PATH=/a', 'PATH=/b')).toEqual(['/b/sh'])
  })
})
