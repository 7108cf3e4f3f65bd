import { stringifyJson } from '../../config/stringify-json.ts'
import { UsageError } from '../../errors.ts'
import { type ContainerDescription, describeContainers } from '../../state/describe.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'

const HEADER = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']
const GAP = 2

export const list: CommandDefinition = {
  summary: 'list the containers of --root',
  positionals: [],
  addFlags(command) {
    command
      .option('-f, --format <table|json>', 'how to print it', 'table')
      .option('-q, --quiet', 'ids only')
  },
  run(_positionals, flags, { globals, log }) {
    const format = textFlag(flags, 'format')
    if (format !== 'table' && format !== 'json') {
      throw new UsageError(`--format must be table or json, found ${JSON.stringify(format)}`)
    }
    const containers = describeContainers(globals.root, log.warning)
    if (isSet(flags, 'quiet')) return { output: containers.map(({ id }) => `${id}\n`).join('') }
    if (format === 'json') return { output: stringifyJson(containers) }
    return { output: renderTable([HEADER, ...containers.map(toRow)]) }
  },
}

function toRow({ id, pid, status, bundle, created, owner }: ContainerDescription): string[] {
  return [id, String(pid), status, bundle, created, owner]
}

/** Columns as wide as their widest cell, at least 12. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = HEADER.map((_, column) =>
    Math.max(10, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd((widths[column] ?? 0) + GAP)).join(''))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}
