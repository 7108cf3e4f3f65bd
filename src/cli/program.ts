/** argv → the command that it names, with its flags checked. */
import { Command } from 'commander'
import { findNearest } from '../config/nearest.ts'
import { UsageError } from '../errors.ts'
import type { Request } from '../host/request.ts'
import { renderVersion } from '../version.ts'
import type { CommandDefinition, Context, Flags, Outcome } from './command.ts'
import { splitWords } from './flags.ts'
import { addGlobalFlags, type Globals, readGlobals } from './globals.ts'

/** Loaded one by one: `state` and `kill` run often and need little. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandDefinition>>> = {
  create: async () => (await import('./commands/create.ts')).create,
  exec: async () => (await import('./commands/exec.ts')).exec,
  start: async () => (await import('./commands/start.ts')).start,
  state: async () => (await import('./commands/state.ts')).state,
  kill: async () => (await import('./commands/kill.ts')).kill,
  delete: async () => (await import('./commands/delete.ts')).remove,
  ps: async () => (await import('./commands/ps.ts')).ps,
  pause: async () => (await import('./commands/pause.ts')).pause,
  resume: async () => (await import('./commands/resume.ts')).resume,
  update: async () => (await import('./commands/update.ts')).update,
  mounts: async () => (await import('./commands/mounts.ts')).mounts,
  events: async () => (await import('./commands/events.ts')).events,
  wait: async () => (await import('./commands/wait.ts')).wait,
  run: async () => (await import('./commands/run.ts')).run,
  list: async () => (await import('./commands/list.ts')).list,
  spec: async () => (await import('./commands/spec.ts')).spec,
  checkpoint: async () => (await import('./commands/checkpoint.ts')).checkpoint,
  restore: async () => (await import('./commands/restore.ts')).restore,
  features: async () => (await import('./commands/features.ts')).features,
  plan: async () => (await import('./commands/plan.ts')).plan,
  serve: async () => (await import('./commands/serve.ts')).serve,
  completion: async () => (await import('./commands/completion.ts')).completion,
  bundle: async () => (await import('./commands/bundle-new.ts')).bundleNew,
}

export interface Invocation {
  readonly globals: Globals
  /** `create web1`: what an error message begins with. */
  readonly subject: string
  /** Exit status when `run` throws. */
  readonly failureStatus: number
  /** Of no use to a worker of the resident planner, which others wait for. */
  readonly lasts: boolean
  readonly run: (context: Context) => Promise<Outcome> | Outcome
}

export async function parseInvocation(request: Request): Promise<Invocation> {
  const program = defineProgram()
  const { flags, positionals } = splitWords(request.argv.slice(1), program.options, true)
  program.parse(flags, { from: 'user' })
  const { help, version, ...rest } = program.opts<Flags>()
  const globals = readGlobals(rest, request.env)
  const [name, ...words] = positionals
  const answer = (output: () => Promise<string> | string): Invocation => ({
    globals,
    subject: '',
    failureStatus: 1,
    lasts: false,
    run: async () => ({ output: await output() }),
  })
  if (version === true && help !== true) return answer(renderVersion)
  if (help === true || name === undefined || name === 'help') return answer(() => showHelp(program))
  return { globals, ...(await parseCommand(program, name, words)) }
}

function defineProgram(): Command {
  const program = new Command('tsrunc')
    .description('Runs OCI containers: config.json is compiled to system calls.')
    .usage('[global flags] COMMAND [flags] [arguments]')
    .helpOption(false)
    .option('-h, --help', 'show this help')
    .option('-v, --version', 'show the version')
  addGlobalFlags(program)
  return program
}

async function parseCommand(
  program: Command,
  name: string,
  words: readonly string[],
): Promise<Omit<Invocation, 'globals'>> {
  // Not `constructor` and its like, which every object has.
  const definition = Object.hasOwn(COMMANDS, name) ? await COMMANDS[name]?.() : undefined
  if (definition === undefined) {
    throw new UsageError(`unknown command ${JSON.stringify(name)}${suggest(name)}`)
  }
  const command = defineCommand(name, definition)
  const isGlobal = (flag: string) => program.options.some(({ long }) => long === `--${flag}`)
  const { flags, positionals } = splitWords(
    words,
    command.options,
    definition.stopsAtPositional ?? false,
    (flag) => (isGlobal(flag) ? ` of ${name}: global flags stand before the command` : ''),
  )
  command.parse(flags, { from: 'user' })
  const options = command.opts<Flags>()
  if (options.help === true) {
    const run = () => ({ output: command.helpInformation() })
    return { subject: '', failureStatus: 1, lasts: false, run }
  }
  checkCount(name, definition.positionals, positionals)
  return {
    subject: [name, ...positionals.slice(0, hasVerb(definition) ? 2 : 1)].join(' '),
    failureStatus: definition.failureStatus ?? 1,
    lasts: definition.lasts?.(options) ?? false,
    run: (context) => definition.run(positionals, options, context),
  }
}

/** `mounts add ID FILE` */
function hasVerb({ positionals }: CommandDefinition): boolean {
  return positionals.length > 1 && positionals[0]?.includes('|') === true
}

function defineCommand(name: string, definition: CommandDefinition): Command {
  const command = new Command(`tsrunc ${name}`)
    .description(definition.summary)
    .usage(['[flags]', ...definition.positionals].join(' '))
    .helpOption(false)
    .option('-h, --help', 'show this help')
  definition.addFlags?.(command)
  return command
}

/** All commands, with the flags that commander knows: what shells complete. */
export async function describeProgram(): Promise<readonly Command[]> {
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => defineCommand(name, await load())),
  )
  return [defineProgram(), ...commands]
}

async function showHelp(program: Command): Promise<string> {
  const lines: string[] = []
  for (const [name, load] of Object.entries(COMMANDS)) {
    const { summary, positionals } = await load()
    lines.push(`  ${`${name} ${positionals.join(' ')}`.padEnd(30)} ${summary}`)
  }
  return `${program.helpInformation()}\nCommands:\n${lines.join('\n')}\n`
}

function suggest(name: string): string {
  const nearest = findNearest(name, Object.keys(COMMANDS))
  return nearest === undefined ? '' : ` (did you mean ${nearest}?)`
}

function checkCount(name: string, expected: readonly string[], got: readonly string[]): void {
  const needed = expected.filter((positional) => !positional.startsWith('[')).length
  const isOpen = expected.some((positional) => positional.includes('…'))
  if (got.length >= needed && (isOpen || got.length <= expected.length)) return
  const words = expected.length === 0 ? 'no arguments' : expected.join(' ')
  const found = got.length === 0 ? 'nothing' : got.map((word) => JSON.stringify(word)).join(' ')
  throw new UsageError(`${name} takes ${words}, found ${found}`)
}
