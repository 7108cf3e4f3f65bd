/** A runtime that kills itself at the sync point of the given number. */
import { createContainer } from '../../src/engine/create.ts'
import { prepare } from './rig.ts'

const [home = '', root = '', bundle = '', id = '', point = ''] = process.argv.slice(2)
let left = Number(point)

function pass(): void {
  if (left-- === 0) process.kill(process.pid, 'SIGKILL')
}

createContainer({
  ...prepare({ name: '', home, root }, bundle, id),
  faults: { beforeHostStep: pass, beforeAnswer: pass },
})
process.exit(0)
