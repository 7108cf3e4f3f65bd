import { UsageError } from '../../errors.ts'
import type { CommandDefinition } from '../command.ts'
import { completeBash } from '../completion/bash.ts'
import { completeFish } from '../completion/fish.ts'
import { readVocabulary } from '../completion/vocabulary.ts'
import { completeZsh } from '../completion/zsh.ts'

const SHELLS = new Map([
  ['bash', completeBash],
  ['zsh', completeZsh],
  ['fish', completeFish],
])

export const completion: CommandDefinition = {
  summary: 'print a script that completes commands and flags in a shell',
  positionals: ['bash|zsh|fish'],
  async run([shell = '']) {
    const complete = SHELLS.get(shell)
    if (complete === undefined) {
      const known = [...SHELLS.keys()].join(', ')
      throw new UsageError(`completion is there for ${known}, found ${JSON.stringify(shell)}`)
    }
    const { describeProgram } = await import('../program.ts')
    const [program, ...commands] = (await describeProgram()).map(readVocabulary)
    if (program === undefined) throw new Error('there is no program: a bug in tsrunc')
    return { output: complete(program, commands) }
  },
}
