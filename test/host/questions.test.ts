import { describe, expect, test } from 'vitest'
import { inquire } from '../../src/host/questions.ts'
import { OPTIONS, SPEC } from '../fields/facts.ts'

describe('the questions that a config raises', () => {
  test('are the rootfs, bind sources, hooks and namespaces, each once', () => {
    const questions = inquire(
      {
        ...SPEC,
        mounts: [
          { destination: '/a', source: 'data/', options: ['bind'] },
          { destination: '/b', source: '/srv', type: 'bind' },
          { destination: '/c', source: '/srv', options: ['rbind'] },
          { destination: '/d', source: 'tmpfs', type: 'tmpfs' },
          { destination: '/e', type: 'bind' },
        ],
        hooks: {
          prestart: [{ path: '/h/1' }],
          startContainer: [{ path: '/in/the/container' }],
          poststop: [{ path: '/h/2' }, { path: '/h/1' }],
        },
        linux: {
          namespaces: [
            { type: 'mount', path: '' },
            { type: 'pid', path: '/n' },
          ],
        },
      },
      OPTIONS,
    )
    expect(questions).toEqual({
      paths: ['/proc/kcore', '/bundle/data', '/srv', '/h/1', '/h/2'],
      unfollowed: ['/bundle/rootfs'],
      links: [],
      namespaces: ['/n'],
      cgroup: 'web1',
      devices: [],
      mapsIds: false,
    })
  })

  test('include the seccomp profile', () => {
    const seccomp = { defaultAction: 'SCMP_ACT_ALLOW' } as const
    expect(inquire({ ...SPEC, linux: { seccomp } }, OPTIONS).seccomp).toBe(seccomp)
  })
})
