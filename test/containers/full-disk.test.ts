/** A filesystem of the root directory that is full sooner or later: an error, and nothing left. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createBundle, describeContainers, invoke, probeArguments } from './rig.ts'

describeContainers('a full disk', (runtime) => {
  // crun leaves its directory.
  it.skipIf(runtime.name === 'crun').each(['nr_blocks', 'nr_inodes'])('%s', (what) => {
    const bundle = createBundle((config) => {
      config.process.args = probeArguments([['exit', '0']])
    })
    const root = join(bundle.directory, 'root')
    mkdirSync(root)
    const words = ['run', '--bundle', bundle.directory, 'full']
    const statuses = Array.from({ length: 12 }, (_, index) => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=700,${what}=${index + 2}`, 'tmpfs', root])
      try {
        const { status, stderr } = invoke(runtime, words, { globals: ['--root', root] })
        if (runtime.name === 'tsrunc' && status !== 0) expect(stderr).toContain('ENOSPC')
        expect(readdirSync(root), stderr).toEqual([])
        return status
      } finally {
        execFileSync('umount', [root])
      }
    })
    // runc 1.1 keeps so little that one block holds it.
    expect([...new Set(statuses)].toSorted()).toEqual(
      runtime.name === 'runc' && what === 'nr_blocks' ? [0] : [0, 1],
    )
  })
})
