import { describe, expect, test } from 'vitest'
import type { Namespace } from '../../src/config/spec.ts'
import { domainname } from '../../src/fields/domainname.ts'
import { hostname } from '../../src/fields/hostname.ts'
import { issuesOf, planning } from './facts.ts'

const from = (uts: Namespace) => planning({ spec: { linux: { namespaces: [uts] } } })
const NEW = from({ type: 'uts' })

describe('host names', () => {
  test('are set in a uts namespace', () => {
    if (!('plan' in hostname && 'plan' in domainname)) throw new Error('both are planned')
    expect(hostname.plan('web', '/hostname', NEW).steps).toEqual([
      { kind: 'set-hostname', phase: 'hostname', origin: '/hostname', name: 'web' },
    ])
    expect(domainname.plan('lan', '/domainname', NEW).steps).toEqual([
      { kind: 'set-domainname', phase: 'hostname', origin: '/domainname', name: 'lan' },
    ])
    expect(hostname.plan('', '/hostname', NEW)).toEqual({})
  })

  test('are refused where the namespace is the host’s', () => {
    if (!('plan' in hostname)) throw new Error('hostname is planned')
    const shared = from({ type: 'uts', path: '/proc/1/ns/uts' })
    expect(issuesOf(hostname.plan('web', '/hostname', shared))).toEqual([
      "/hostname: no name, for the uts namespace is the host's",
    ])
  })
})
