/** `mounts` in a running container: nothing but the mounts is left of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainConfig } from './plain-config.ts'
import { closeRig, listChildren, makeBundle, openRig, type Rig, tsrunc, whyNot } from './rig.ts'

const reason = whyNot()
const ID = 'c'
const QUIET = { status: 0, stderr: '' }

describe.skipIf(reason !== undefined)(`mounts${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let rig: Rig

  beforeAll(() => {
    rig = openRig('mounts')
    const args = ['/probe', 'hold', '0']
    const bundle = makeBundle(rig, 'b', () => plainConfig({ cgroupsPath: `/${rig.name}/c`, args }))
    expect(tsrunc(rig, 'run', '--detach', '--bundle', bundle, ID)).toEqual(QUIET)
  }, 60_000)

  afterAll(() => closeRig(rig))

  it('reaps its own process: the end of the container would wait for who reaps it', () => {
    const children = listChildren()
    const file = join(rig.home, 'mounts.json')
    const mounts = [{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' }]
    writeFileSync(file, JSON.stringify({ mounts }))
    expect(tsrunc(rig, 'mounts', 'add', ID, file)).toEqual(QUIET)
    expect(tsrunc(rig, 'mounts', 'remove', ID, file)).toEqual(QUIET)
    expect(listChildren()).toEqual(children)
    expect(tsrunc(rig, 'delete', '--force', ID)).toEqual(QUIET)
  })
})
