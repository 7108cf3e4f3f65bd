import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { splitWords } from '../../src/cli/flags.ts'
import { UsageError } from '../../src/errors.ts'

const { options } = new Command()
  .option('-b, --bundle <dir>')
  .option('-d, --detach')
  .option('--no-pivot')
  .option('--pid-file <file>')

const split = (...words: string[]) => splitWords(words, options, false)

describe('flags of a command line', () => {
  it.each([
    [['--bundle', 'x']],
    [['--bundle=x']],
    [['-bundle', 'x']],
    [['-bundle=x']],
    [['-b', 'x']],
    [['-b=x']],
  ])('%j is the bundle x', (words) => {
    expect(split(...words)).toEqual({ flags: ['--bundle=x'], positionals: [] })
  })

  it('a value may be empty, begin with a dash or hold an equals sign', () => {
    expect(split('--bundle=', '--pid-file', '-x', '-b=a=b').flags).toEqual([
      '--bundle=',
      '--pid-file=-x',
      '--bundle=a=b',
    ])
  })

  it('flags and positionals mix', () => {
    expect(split('one', '--detach', 'two', '-b', 'x')).toEqual({
      flags: ['--detach', '--bundle=x'],
      positionals: ['one', 'two'],
    })
  })

  it('after -- everything is a positional', () => {
    expect(split('--detach', '--', '--bundle')).toEqual({
      flags: ['--detach'],
      positionals: ['--bundle'],
    })
  })

  it('after the first positional everything is one, where a command asks for it', () => {
    expect(splitWords(['-d', 'id', '-9'], options, true)).toEqual({
      flags: ['--detach'],
      positionals: ['id', '-9'],
    })
  })

  it('switches take true and false', () => {
    expect(split('--detach=true').flags).toEqual(['--detach'])
    expect(split('--detach=false', '--no-pivot=false').flags).toEqual([])
    expect(() => split('--detach=maybe')).toThrow('--detach=maybe: expected true or false')
  })

  it('unknown flags are refused with the nearest one', () => {
    expect(() => split('--bundel', 'x')).toThrow(
      new UsageError('unknown flag --bundel (did you mean --bundle?)'),
    )
    expect(() => split('-x')).toThrow(new UsageError('unknown flag -x'))
  })

  it('a missing value is told in the words that engines look for', () => {
    expect(() => split('--pid-file')).toThrow(new UsageError('--pid-file requires an argument'))
  })
})
