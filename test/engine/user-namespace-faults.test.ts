/**
 * create fails or is killed at every step of its way into a user namespace, as root goes it and as a
 * user goes it: nothing is left, neither of the container nor of the namespace of a mount's ids.
 */
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareCreate } from '../../src/cli/prepare.ts'
import type { Spec } from '../../src/config/spec.ts'
import { createContainer } from '../../src/engine/create.ts'
import type { CreateInput, FaultPoints } from '../../src/engine/create-input.ts'
import { deleteContainer } from '../../src/engine/delete.ts'
import { openExecutor } from '../../src/engine/execution.ts'
import { StepError } from '../../src/errors.ts'
import type { Facts } from '../../src/host/facts.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import { failAt } from './fail-at.ts'
import { plainConfig } from './plain-config.ts'
import {
  closeRig,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  prepare,
  type Rig,
  readRequest,
  tsrunc,
  whyNot,
} from './rig.ts'

const ID = 'c'
const reason = whyNot()
/** Whose namespace it is, and the phases of the way into it. */
const CALLERS = ['root', 'a user'] as const
const PHASES = ['stage', 'stage-end', 'clone', 'process', 'namespaces', 'rootfs', 'user', 'mounts']

function configOf(caller: (typeof CALLERS)[number], directory: string, cgroupsPath: string): Spec {
  const plain = plainConfig({ cgroupsPath, args: ['probe', 'sleep', '60'] })
  const ids = [{ containerID: 0, hostID: 0, size: caller === 'root' ? 1000 : 1 }]
  const source = join(directory, 'source')
  const mapped = { uidMappings: ids, gidMappings: ids, options: ['bind', 'idmap', 'ro'] }
  const mounts = [
    { destination: '/bound', source, options: ['rbind'] },
    ...(caller === 'root' ? [{ destination: '/mapped', source, ...mapped }] : []),
  ]
  return {
    ...plain,
    mounts: [...(plain.mounts ?? []), ...mounts],
    linux: {
      ...plain.linux,
      namespaces: [...(plain.linux?.namespaces ?? []), { type: 'user' }, { type: 'time' }],
      uidMappings: ids,
      gidMappings: ids,
      timeOffsets: { boottime: { secs: 1n } },
    },
  }
}

/** As one without privileges sees the host, by whom we are not: what it does root may do, too. */
function withoutPrivileges(facts: Facts): Facts {
  return { ...facts, permittedCapabilities: 0n }
}

describe.skipIf(reason !== undefined).each(CALLERS)(
  `create of %s in a user namespace fails${reason ? ` (skipped: ${reason})` : ''}`,
  (caller) => {
    const architecture = hostArchitecture()
    let rig: Rig
    let bundle: string
    let input: CreateInput

    beforeAll(() => {
      rig = openRig('userns-faults')
      bundle = makeBundle(rig, 'b', (directory) => configOf(caller, directory, `/${rig.name}/c`))
      input = prepare(rig, bundle, ID)
      if (caller === 'a user') {
        const adjust = withoutPrivileges
        input = { ...input, ...prepareCreate(input.options, readRequest(), { adjust }) }
      }
      // What a process keeps for itself: the sealed executor, the runtime's root.
      openExecutor()
      expect(tsrunc(rig, 'list').status).toBe(0)
    }, 60_000)

    afterAll(() => closeRig(rig))

    /** The error of create; undefined where the fault was never reached. */
    function attempt(faults: FaultPoints): unknown {
      try {
        closeFd(createContainer({ ...input, faults }).pidfd)
      } catch (error) {
        expect(existsSync(join(rig.root, ID)), 'the state directory').toBe(false)
        return error
      }
      const warn = () => {}
      deleteContainer({ rootPath: rig.root, id: ID, force: true, architecture, warn })
      return undefined
    }

    /** The same, and a look at what is left. */
    function expectNothingLeft(label: string, faults: FaultPoints): unknown {
      const before = lookAround(rig)
      const error = attempt(faults)
      expect(String(error), label).not.toContain('not all could be undone')
      expect(lookUntilSame(rig, before), label).toEqual(before)
      return error
    }

    it('at no step', () => {
      expect(expectNothingLeft('no fault', {})).toBeUndefined()
    })

    it('at each instruction up to the mounts', () => {
      const { listing } = input.lowered.program
      const tried = [...listing.entries()].filter(
        // What mounts a filesystem of its own is tried in failure-injection.test.ts.
        ([, { step }]) => PHASES.includes(step.phase) && step.kind !== 'mount-filesystem',
      )
      let reached = 0
      for (const [index, { text, step }] of tried) {
        const program = (whole: typeof input.lowered.program) => failAt(whole, index)
        const error = expectNothingLeft(text, { program })
        if (error === undefined) continue
        reached++
        expect(error, text).toBeInstanceOf(StepError)
        expect(String(error), text).toContain(step.origin)
      }
      expect(reached).toBeGreaterThan(tried.length * 0.7)
    }, 120_000)

    it.each(['beforeHostStep', 'beforeAnswer'] as const)(
      '%s, each time',
      (point) => {
        let total = 0
        attempt({ [point]: () => void total++ })
        expect(total).toBeGreaterThan(5)
        for (let wanted = 0; wanted < total; wanted++) {
          let seen = 0
          const fault = () => {
            if (seen++ === wanted) throw new Error('injected')
          }
          expect(String(expectNothingLeft(`${point} ${wanted}`, { [point]: fault }))).toContain(
            'injected',
          )
        }
      },
      120_000,
    )

    it('where a source is gone when it is opened', () => {
      const source = join(bundle, 'source')
      renameSync(source, `${source}-away`)
      try {
        const error = expectNothingLeft('without the source', {})
        expect(String(error)).toMatch(/^StepError: \/mounts\/2: .*open_tree\(.*ENOENT/)
      } finally {
        renameSync(`${source}-away`, source)
      }
    })
  },
)
