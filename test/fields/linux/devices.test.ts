import { describe, expect, test } from 'vitest'
import type { Device, Mount } from '../../../src/config/spec.ts'
import { devices } from '../../../src/fields/linux/devices.ts'
import type { Step } from '../../../src/plan/steps.ts'
import { planning } from '../facts.ts'

function plan(list: readonly Device[], mounts: readonly Mount[] = []): readonly Step[] {
  if (!('plan' in devices)) throw new Error('devices is planned')
  const from = planning({ spec: { mounts, linux: { devices: list } } })
  return devices.plan(list, '/linux/devices', from).steps ?? []
}

const pathsOf = (steps: readonly Step[]) => steps.map((step) => ('path' in step ? step.path : ''))

describe('devices', () => {
  test('every container has six nodes and the links', () => {
    const steps = plan([])
    expect(pathsOf(steps)).toEqual([
      ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`),
      ...['ptmx', 'fd', 'stdin', 'stdout', 'stderr', 'core'].map((name) => `/dev/${name}`),
    ])
    expect(steps[0]).toEqual({
      kind: 'make-device',
      phase: 'devices',
      origin: '/linux/devices',
      path: '/dev/null',
      type: 'c',
      major: 1,
      minor: 3,
      mode: 0o666,
      uid: 0,
      gid: 0,
    })
    expect(steps[6]).toMatchObject({ kind: 'make-symlink', target: 'pts/ptmx', path: '/dev/ptmx' })
  })

  test('/dev/core only leads where the host has it', () => {
    if (!('plan' in devices)) throw new Error('devices is planned')
    const from = planning({ facts: { paths: new Map([['/proc/kcore', 'missing']]) } })
    expect(pathsOf(devices.plan([], '/linux/devices', from).steps ?? [])).not.toContain('/dev/core')
  })

  test('an own node takes the place of a default, type bits of its mode are dropped', () => {
    const own = {
      type: 'u',
      path: '/dev//tty',
      major: 5,
      minor: 0,
      fileMode: 0o20620,
      gid: 5,
    } as const
    const steps = plan([own]).filter((step) => 'path' in step && step.path === '/dev/tty')
    expect(steps).toEqual([
      {
        kind: 'make-device',
        phase: 'devices',
        origin: '/linux/devices/0',
        path: '/dev/tty',
        type: 'c',
        major: 5,
        minor: 0,
        mode: 0o620,
        uid: 0,
        gid: 5,
      },
    ])
  })

  test('a fifo has no numbers, a mode that is absent is 0666', () => {
    expect(plan([{ type: 'p', path: '/run/pipe' }])[6]).toMatchObject({
      type: 'p',
      major: 0,
      minor: 0,
      mode: 0o666,
    })
  })

  test('/dev/ptmx stays the link', () => {
    const steps = plan([{ type: 'c', path: '/dev/ptmx', major: 5, minor: 2 }])
    expect(steps.filter((step) => 'path' in step && step.path === '/dev/ptmx')).toMatchObject([
      { kind: 'make-symlink' },
    ])
  })

  test('nothing is made in a /dev that is bound', () => {
    expect(plan([], [{ destination: '/dev', source: '/dev', options: ['rbind'] }])).toEqual([])
  })
})
