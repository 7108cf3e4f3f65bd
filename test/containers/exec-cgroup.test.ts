/** Where in the container's cgroups `exec` puts a process. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isUnified, whyNotUnified } from './cgroup-drivers.ts'
import { exec, execReport, startContainer } from './exec-rig.ts'
import { describeContainers } from './rig.ts'

const whyNoV1 = isUnified ? ' (skipped: cgroup v2 has no hierarchies)' : ''

describeContainers('exec', (runtime) => {
  it.skipIf(isUnified)(`--cgroup leads below the cgroup of the container${whyNoV1}`, () => {
    const container = startContainer(runtime)
    const lines = readFileSync(`/proc/${container.pid}/cgroup`, 'utf8').trim().split('\n')
    const memory = lines.map((line) => line.split(':')).find(([, name]) => name === 'memory')
    const path = memory?.[2] ?? ''
    mkdirSync(join('/sys/fs/cgroup/memory', path, 'sub'))
    const report = execReport(runtime, container.id, { flags: ['--cgroup', 'memory:sub'] })
    expect(report.cgroup).toContain(`:memory:${path}/sub\n`)
    expect(report.cgroup).toContain(`:pids:${path}\n`)
    const wrong = exec(runtime, container.id, [['report']], { flags: ['--cgroup', 'memory:../..'] })
    expect(wrong.status).toBe(255)
  })

  describe(`on cgroup v2${whyNotUnified()}`, () => {
    /** Its first process has moved down, and controllers are enabled for those below. */
    function startDivided(): { id: string; path: string } {
      const { id, pid } = startContainer(runtime)
      const path = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().replace('0::', '')
      const directory = join('/sys/fs/cgroup', path)
      for (const name of ['init', 'sub']) mkdirSync(join(directory, name))
      writeFileSync(join(directory, 'init/cgroup.procs'), String(pid))
      writeFileSync(join(directory, 'cgroup.subtree_control'), '+pids')
      return { id, path }
    }

    it.skipIf(!isUnified)('a cgroup that takes no process: it is where init is', () => {
      const { id, path } = startDivided()
      expect(execReport(runtime, id).cgroup).toBe(`0::${path}/init\n`)
    })

    it.skipIf(!isUnified)('--cgroup leads below the cgroup of the container', () => {
      const { id, path } = startDivided()
      const report = execReport(runtime, id, { flags: ['--cgroup', 'sub'] })
      expect(report.cgroup).toBe(`0::${path}/sub\n`)
    })

    it.skipIf(!isUnified)('--cgroup: not above it, not where none is', () => {
      const { id } = startDivided()
      for (const name of ['../..', 'nowhere']) {
        const flags = ['--cgroup', name]
        const { status, stdout } = exec(runtime, id, [['report']], { flags })
        expect({ status, stdout }).toEqual({ status: 255, stdout: '' })
      }
    })
  })
})
