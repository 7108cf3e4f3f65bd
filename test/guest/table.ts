/** The table of results of the engine tests: a line for each case, a column for each runtime. */

export interface Result {
  /** `podman (runc) > exec > exec -it`. */
  readonly fullName: string
  readonly status: string
  /** Milliseconds. */
  readonly duration: number
}

const ENGINE_CASE = /^(.+?) \((tsrunc|runc|crun)\) > (.*)$/
const MARKS: Readonly<Record<string, string>> = { pass: 'pass', fail: 'FAIL' }
const SKIPPED = 'skip'
/** Of a name that was not asked for. */
const NOT_RUN = 'skipped'

/** Of the cases of engines that were selected. */
export function formatTable(results: readonly Result[]): string[] {
  const runtimes = new Set<string>()
  const cases = new Map<string, Map<string, Result>>()
  for (const result of results) {
    const [, engine, runtime = '', name] = ENGINE_CASE.exec(result.fullName) ?? []
    if (engine === undefined || result.status === NOT_RUN) continue
    const title = `${engine}: ${name}`
    runtimes.add(runtime)
    cases.set(title, (cases.get(title) ?? new Map()).set(runtime, result))
  }
  if (cases.size === 0) return []
  const rows = [...cases].map(([title, row]) => [
    title,
    ...[...runtimes].map((runtime) => formatCell(row.get(runtime))),
  ])
  const counts = ['pass', 'FAIL', SKIPPED].map((mark) => [
    mark,
    ...[...runtimes].map((_, column) =>
      String(rows.filter((row) => row[column + 1]?.startsWith(mark)).length),
    ),
  ])
  return alignColumns([['case', ...runtimes], ...rows, ...counts])
}

function formatCell(result: Result | undefined): string {
  const mark = MARKS[result?.status ?? '']
  if (result === undefined || mark === undefined) return SKIPPED
  return `${mark} ${(result.duration / 1000).toFixed(1)}s`
}

function alignColumns(rows: readonly string[][]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  )
}
