import { describe, expect, test } from 'vitest'
import type { Mount, Spec } from '../../../src/config/spec.ts'
import { terminal } from '../../../src/fields/process/terminal.ts'
import type { CreateOptions } from '../../../src/host/facts.ts'
import { OPTIONS, planning, SPEC } from '../facts.ts'

const AT = '/process/terminal'
const FOREGROUND: CreateOptions = { ...OPTIONS, detach: false }

function plan(isWanted: boolean, options: CreateOptions, spec: Partial<Spec> = {}) {
  if (!('plan' in terminal)) throw new Error('terminal is planned')
  return terminal.plan(isWanted, AT, planning({ options, spec: { ...SPEC, ...spec } }))
}

function sourceFor(mounts: readonly Mount[]): string | undefined {
  const [open] = plan(true, FOREGROUND, { mounts }).steps ?? []
  return open?.kind === 'open-terminal' ? open.from : undefined
}

describe('process.terminal', () => {
  test('is a pty, the stdio of its owner, and /dev/console', () => {
    const process = { ...SPEC.process, cwd: '/', consoleSize: { height: 25, width: 81 } }
    const spec = { process: { ...process, user: { uid: 7, gid: 8 } } }
    expect(plan(true, FOREGROUND, spec).steps).toEqual([
      { kind: 'open-terminal', phase: 'terminal', origin: AT, from: 'runtime' },
      {
        kind: 'attach-terminal',
        phase: 'terminal',
        origin: AT,
        uid: 7,
        size: { rows: 25, columns: 81 },
      },
      { kind: 'bind-console', phase: 'console', origin: AT, make: true },
    ])
  })

  test('comes from the devpts of the container where that has one', () => {
    const devpts = { destination: '/dev/pts', type: 'devpts', source: 'devpts' }
    const dev = { destination: '/dev', source: '/dev' }
    expect(sourceFor([])).toBe('runtime')
    expect(sourceFor([devpts])).toBe('container')
    expect(sourceFor([{ ...devpts, destination: '/dev//pts/' }])).toBe('container')
    expect(sourceFor([{ ...dev, options: ['rbind'] }])).toBe('container')
    expect(sourceFor([{ ...dev, options: ['bind'] }])).toBe('runtime')
    expect(sourceFor([{ ...devpts, destination: '/elsewhere' }])).toBe('runtime')
  })

  test("makes nothing in a /dev that is the host's", () => {
    const mounts = [{ destination: '/dev', source: '/dev', options: ['rbind'] }]
    const { steps = [] } = plan(true, FOREGROUND, { mounts })
    expect(steps.at(-1)).toMatchObject({ kind: 'bind-console', make: false })
  })

  test('and what does not go with it', () => {
    const socket = { consoleSocket: '/run/socket' }
    const detached = { ...OPTIONS, detach: true }
    const cannotAllocate = [expect.objectContaining({ pointer: AT })]
    const cannotUse = [expect.objectContaining({ pointer: '--console-socket' })]
    expect(plan(true, detached).issues).toEqual(cannotAllocate)
    expect(plan(true, { ...detached, ...socket }).issues).toBeUndefined()
    expect(plan(false, { ...detached, ...socket }).issues).toEqual(cannotUse)
    expect(plan(true, { ...FOREGROUND, ...socket }).issues).toEqual(cannotUse)
    expect(plan(false, detached)).toEqual({})
  })
})
