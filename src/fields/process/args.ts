import type { Pointer } from '../../errors.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { containerEnvironment, variableOf } from './env.ts'

export const args: Field<readonly string[]> = { plan: planArgs }

/** Where execvp(3) looks when PATH is not set. */
const DEFAULT_PATH = '/bin:/usr/bin'

function planArgs(configured: readonly string[], at: Pointer, planning: Planning): Contribution {
  const [name = ''] = configured
  const origin = `${at}/0`
  return {
    steps: [
      {
        kind: 'find-executable',
        phase: 'executable',
        origin,
        name,
        candidates: findCandidates(name, planning),
      },
      { kind: 'inspect-executable', phase: 'executable', origin, name },
      {
        kind: 'execute',
        phase: 'execute',
        origin: at,
        args: configured,
        env: containerEnvironment(planning),
      },
    ],
  }
}

/** A name with a slash is a path, relative to the cwd perhaps; others are looked up in PATH. */
function findCandidates(name: string, planning: Planning): readonly string[] {
  if (name.includes('/')) return [name]
  const path = variableOf('PATH', planning) ?? ''
  const directories = (path === '' ? DEFAULT_PATH : path).split(':')
  const candidates = directories.map((directory) => {
    if (directory === '') return `./${name}`
    return directory.endsWith('/') ? directory + name : `${directory}/${name}`
  })
  return [...new Set(candidates)]
}
