/**
 * CVE-2016-9962: on its way into a container the runtime's process is in reach of those inside, who
 * must not trace it, read its memory or reach its executable and its fds.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareExec } from '../../src/cli/prepare-exec.ts'
import type { Spec } from '../../src/config/spec.ts'
import { execProcess } from '../../src/engine/exec.ts'
import { openExecTarget } from '../../src/engine/exec-target.ts'
import { SpecError } from '../../src/errors.ts'
import type { ExecOptions } from '../../src/host/facts.ts'
import { hostArchitecture } from '../../src/sys/ffi.ts'
import {
  closeRig,
  listChildren,
  lookAround,
  lookUntilSame,
  makeBundle,
  openRig,
  type Rig,
  readRequest,
  TSRUNC,
  tsrunc,
  type World,
  whyNot,
} from './rig.ts'

const ID = 'c'
const FIRST = 200_000_000
const reason = whyNot()
const CAPABILITIES = ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH', 'CAP_DAC_OVERRIDE']
const OPTIONS: ExecOptions = {
  id: ID,
  bundle: '/',
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
  systemdCgroup: false,
  listenFds: 0,
  detach: true,
  subCgroups: new Map(),
}

/** A user namespace whose root may trace whatever the namespace owns. */
function config(name: string): Spec {
  const map = [{ containerID: 0, hostID: FIRST, size: 65_536 }]
  const types = ['user', 'pid', 'network', 'ipc', 'uts', 'mount'] as const
  return {
    ociVersion: '1.3.0',
    process: {
      args: ['/probe', 'sleep', '1000'],
      cwd: '/',
      user: { uid: 0, gid: 0 },
      capabilities: {
        bounding: CAPABILITIES,
        permitted: CAPABILITIES,
        effective: CAPABILITIES,
      },
    },
    root: { path: 'rootfs' },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: {
      cgroupsPath: `/${name}/c`,
      namespaces: types.map((type) => ({ type })),
      uidMappings: map,
      gidMappings: map,
    },
  }
}

describe.skipIf(reason !== undefined)(
  `who enters is not traced${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let rig: Rig
    let before: World

    beforeAll(() => {
      rig = openRig('exec-trace')
      const bundle = makeBundle(rig, 'b', () => config(rig.name))
      chmodSync(dirname(bundle), 0o711)
      for (const path of ['rootfs', 'rootfs/etc', 'rootfs/tmp']) {
        chownSync(join(bundle, path), FIRST, FIRST)
      }
      expect(tsrunc(rig, 'run', '--detach', '--bundle', bundle, ID)).toMatchObject({ status: 0 })
      before = lookAround(rig)
    }, 60_000)

    afterAll(() => {
      // The pid namespace ends only with those that fell to us.
      lookUntilSame(rig, before)
      closeRig(rig)
    }, 60_000)

    /** What root of the container can do with a process there. */
    function look(pid: number): unknown {
      const at = `/proc/${pid}`
      const operations = [
        ['read', `${at}/stat`],
        ['open', `${at}/mem`, 'r'],
        ['read', `${at}/environ`],
        ['read', `${at}/maps`],
        ['list', `${at}/fd`],
        ['read', `${at}/exe`],
        ['list', `${at}/root`],
        ['list', `${at}/cwd`],
      ]
      const words = operations.flatMap((words, i) => (i === 0 ? words : ['--', ...words]))
      const args = ['--root', rig.root, 'exec', ID, '/probe', ...words]
      const [stat, ...rest] = JSON.parse(execFileSync(TSRUNC, args, { encoding: 'utf8' }))
      expect(stat).toContain(`${pid} (`)
      return rest
    }

    /** The new process of ours that has a pid in the container, too; that pid. */
    function findInner(own: ReadonlySet<number>): string | undefined {
      return listChildren()
        .filter((child) => !own.has(child))
        .map((child) => readFileSync(`/proc/${child}/status`, 'utf8'))
        .map((status) => /^NSpid:\s+\d+\s+(\d+)$/m.exec(status)?.[1])
        .find((pid) => pid !== undefined)
    }

    it('from the first sync point in the container on to the last', () => {
      using target = openExecTarget(rig.root, ID, false)
      const vanishing = { ...target.config.spec.process, args: ['/probe', 'vanish', '0'] }
      const refuse = () => new SpecError('', [])
      const prepared = prepareExec(target, vanishing, OPTIONS, readRequest(), refuse)
      const own = new Set(listChildren())
      const seen: unknown[] = []
      const input = {
        target,
        options: OPTIONS,
        lowered: prepared.lowered,
        architecture: hostArchitecture(),
        descriptors: [],
        faults: {
          beforeAnswer: () => {
            const inner = findInner(own)
            if (inner !== undefined) seen.push(look(Number(inner)))
          },
        },
      }
      execProcess(input)
      // HOME, and the executable: the first as root of the namespace, the second with its identity.
      expect(seen.length).toBeGreaterThanOrEqual(2)
      const denied = ['EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES']
      for (const found of seen) expect(found).toEqual(denied)
    }, 60_000)
  },
)
