/** Labels of SELinux, where the kernel has it: in a guest, by `--kernel-option security=selinux`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, it } from 'vitest'
import { execValue } from './exec-rig.ts'
import { createContainer, describeContainers, invoke, probe, runContainer } from './rig.ts'

const isThere = existsSync('/sys/fs/selinux/load')
const why = isThere ? '' : ' (skipped: this kernel has no SELinux in force)'
const CURRENT = '/proc/self/attr/current'
const LABEL = 'system_u:system_r:container_t:s0:c0,c1'
const OTHER_LABEL = 'system_u:system_r:container_t:s0:c1'
const FILE_LABEL = 'system_u:object_r:container_file_t:s0:c0,c1'

/** `/dev/shm rw,context="…"` of each mount. */
function optionsOf(mountinfo: unknown): Map<string, string> {
  const lines = String(mountinfo).trimEnd().split('\n')
  return new Map(lines.map((line) => [line.split(' ')[4] ?? '', line.replace(/.* - \S+ \S+ /, '')]))
}

describeContainers('labels of SELinux', (runtime) => {
  beforeAll(() => {
    const policy = process.env.TSRUNC_PROVIDED_POLICY
    if (isThere && policy !== undefined) writeFileSync('/sys/fs/selinux/load', readFileSync(policy))
  })

  it.skipIf(!isThere)(`process.selinuxLabel is that of the program, and of exec${why}`, () => {
    const { id, stdout } = createContainer(
      runtime,
      [
        ['read', CURRENT],
        ['hold', '0'],
      ],
      (config) => {
        config.process.selinuxLabel = LABEL
      },
    )
    expect(invoke(runtime, ['start', id])).toMatchObject({ status: 0, stderr: '' })
    const readLabel = (...flags: string[]) => execValue(runtime, id, ['read', CURRENT], { flags })
    expect(readLabel()).toBe(`${LABEL}\0`)
    expect(readLabel('--process-label', OTHER_LABEL)).toBe(`${OTHER_LABEL}\0`)
    expect(stdout()).toContain(LABEL)
  })

  it.skipIf(!isThere)(`one that the policy does not know is an error that names it${why}`, () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config) => {
      config.process.selinuxLabel = 'system_u:system_r:nowhere_t:s0'
    })
    expect(status).not.toBe(0)
    // The peers tell the failing write alone.
    if (runtime.name !== 'tsrunc') return
    expect(stderr).toContain('/process/selinuxLabel')
    expect(stderr).toContain('nowhere_t')
    expect(stderr).toContain('EINVAL')
  })

  it.skipIf(!isThere)(`linux.mountLabel is that of the files in each new filesystem${why}`, () => {
    const [mountinfo] = probe(runtime, [['read', '/proc/self/mountinfo']], (config) => {
      config.linux.mountLabel = FILE_LABEL
      config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' })
    })
    const options = optionsOf(mountinfo)
    expect(options.get('/tmp')).toContain(`context="${FILE_LABEL}"`)
    expect(options.get('/proc')).not.toContain('context=')
  })

  it.skipIf(!isThere || runtime.name === 'runc')(
    `run.oci.mount_context_type, of crun, says as which option${why}`,
    () => {
      const [mountinfo] = probe(runtime, [['read', '/proc/self/mountinfo']], (config) => {
        config.linux.mountLabel = FILE_LABEL
        config.annotations = { 'run.oci.mount_context_type': 'rootcontext' }
        config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' })
      })
      expect(optionsOf(mountinfo).get('/tmp')).toContain(`rootcontext="${FILE_LABEL}"`)
    },
  )
})
