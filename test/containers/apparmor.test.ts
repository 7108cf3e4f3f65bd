/** Profiles of AppArmor, where the kernel has it: in a guest, by `--kernel-option security=apparmor`. */
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { execValue } from './exec-rig.ts'
import { createContainer, describeContainers, invoke, probe, runContainer } from './rig.ts'

const isThere = existsSync('/sys/kernel/security/apparmor/profiles')
const why = isThere ? '' : ' (skipped: this kernel has no AppArmor in force)'
const PROFILE = `tsrunc-test-${process.pid}`
const LABEL = '/proc/self/attr/apparmor/current'

/** Everything, but for writing to files that are called forbidden. */
function loadProfile(): void {
  const rules = [
    'file',
    'capability',
    'network',
    'signal',
    'ptrace',
    'mount',
    'deny /**/forbidden w',
  ]
  const text = `profile ${PROFILE} flags=(attach_disconnected) { ${rules.join(', ')}, }`
  const change = (flag: string) =>
    spawnSync('apparmor_parser', [flag, '--skip-cache'], { input: text, encoding: 'utf8' })
  const { status, stderr } = change('--replace')
  if (status !== 0) throw new Error(`apparmor_parser: ${stderr}`)
  onTestFinished(() => void change('--remove'))
}

const OPERATIONS = [
  ['read', LABEL],
  ['write', '/etc/forbidden', 'text'],
  ['write', '/etc/allowed', 'text'],
]

describeContainers('process.apparmorProfile', (runtime) => {
  it.skipIf(!isThere)(`is in force${why}`, () => {
    loadProfile()
    const [label, forbidden, allowed] = probe(runtime, OPERATIONS, (config, { rootfs }) => {
      config.process.apparmorProfile = PROFILE
      for (const name of ['forbidden', 'allowed']) writeFileSync(join(rootfs, 'etc', name), '')
    })
    expect(label).toBe(`${PROFILE} (enforce)\n`)
    expect(forbidden).toBe('EACCES')
    expect(allowed).not.toBe('EACCES')
  })

  it.skipIf(!isThere)(`exec has that of the container, or its own${why}`, () => {
    loadProfile()
    const { id } = createContainer(runtime, [['sleep', '60']], (config) => {
      config.process.apparmorProfile = PROFILE
    })
    expect(invoke(runtime, ['start', id]).status).toBe(0)
    const readLabel = (...flags: string[]) => execValue(runtime, id, ['read', LABEL], { flags })
    expect(readLabel()).toBe(`${PROFILE} (enforce)\n`)
    expect(readLabel('--apparmor', 'unconfined')).toBe('unconfined\n')
  })

  it.skipIf(!isThere)(`one that is not loaded is an error that names it${why}`, () => {
    const { status, stderr } = runContainer(runtime, [['report']], (config) => {
      config.process.apparmorProfile = 'tsrunc-test-nowhere'
    })
    expect(status).not.toBe(0)
    // runc tells the failing write alone.
    if (runtime.name === 'runc') return
    expect(stderr).toContain('/process/apparmorProfile')
    expect(stderr).toContain('tsrunc-test-nowhere')
  })
})
