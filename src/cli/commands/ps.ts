import { listContainerProcesses } from '../../engine/processes.ts'
import { UsageError } from '../../errors.ts'
import { type CommandDefinition, type Context, textFlag } from '../command.ts'

const DEFAULT_ARGUMENTS = ['-ef']
/** Of an engine that gives none. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TIMEOUT_MS = 30_000

export const ps: CommandDefinition = {
  summary: 'list the processes of a container, by ps(1) or as a JSON array of pids',
  positionals: ['ID', '[PS-ARGUMENT…]'],
  // `ps ID -o pid,args`: these flags are ps's own.
  stopsAtPositional: true,
  addFlags(command) {
    command.option('-f, --format <table|json>', 'how to print it', 'table')
  },
  async run([id = '', ...args], flags, { globals, request }) {
    const format = textFlag(flags, 'format')
    if (format !== 'table' && format !== 'json') {
      throw new UsageError(`--format must be table or json, found ${JSON.stringify(format)}`)
    }
    const pids = listContainerProcesses(globals.root, id)
    if (format === 'json') return { output: `${JSON.stringify(pids)}\n` }
    const table = await runPs(args.length > 0 ? args : DEFAULT_ARGUMENTS, request.env)
    return { output: selectProcesses(table, pids) }
  },
}

async function runPs(args: readonly string[], env: Context['request']['env']): Promise<string> {
  const { spawnSync } = await import('node:child_process')
  const { status, stdout, stderr, error } = spawnSync('ps', args, {
    encoding: 'utf8',
    env: { PATH: DEFAULT_PATH, ...Object.fromEntries(env) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    maxBuffer: Number.POSITIVE_INFINITY,
  })
  if (status === 0) return stdout
  const reason = error === undefined ? stderr.trim() : error.message
  throw new UsageError(
    `ps ${args.join(' ')}: ${reason} (hint: --format json needs no ps on this host)`,
  )
}

/** The lines of ps(1) that are of these processes, below its header. */
export function selectProcesses(table: string, pids: readonly number[]): string {
  const [header = '', ...lines] = table.split('\n')
  const column = header.trim().split(/\s+/).indexOf('PID')
  if (column < 0) {
    throw new UsageError('the arguments for ps must have it print a column PID, e.g. -o pid,args')
  }
  const wanted = new Set(pids.map(String))
  const found = lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ''))
  return [header, ...found].map((line) => `${line}\n`).join('')
}
