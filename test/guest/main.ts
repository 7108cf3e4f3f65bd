/** `npm run test:guest`: boots the guest, runs something in it, ends with its exit status. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { provideImage } from './image.ts'
import { type Boot, bootGuest } from './machine.ts'
import { NoGuestError, providePackages } from './packages.ts'
import { makePayload, type Task } from './payload.ts'
import { formatTable, type Result } from './table.ts'

const USAGE = `npm run test:guest -- [--full] [--timeout SECONDS] [--kernel-option WORD]…
                      [--command 'SHELL COMMAND' | TEST FILE…]`

/** What runs without arguments. */
const SUITES = [
  'test/guest/engines/containerd.test.ts',
  'test/guest/engines/docker.test.ts',
  'test/guest/engines/podman.test.ts',
  'test/guest/user-manager.test.ts',
  'test/guest/without-bus.test.ts',
  'test/containers/exec-cgroup.test.ts',
  'test/containers/resources.test.ts',
  'test/containers/rlimits.test.ts',
  'test/containers/wait.test.ts',
]

/** As test harnesses have it: this machine cannot have a guest. */
const SKIPPED = 77

function say(line: string): void {
  process.stderr.write(`guest: ${line}\n`)
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      command: { type: 'string' },
      timeout: { type: 'string' },
      'kernel-option': { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  providePackages(values.full, say)
  const image = provideImage(values.full, say)
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-guest-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const tests = positionals.length > 0 ? positionals : SUITES
  const tasks: readonly Task[] =
    values.command === undefined
      ? splitTests(tests).map((tests) => ({ tests }))
      : [{ command: values.command }]
  const statuses = await Promise.all(
    tasks.map((task, index) =>
      runTask(task, {
        image,
        directory: join(directory, String(index)),
        seconds: Number(values.timeout ?? (values.full ? 3600 : 600)),
        kernelOptions: values['kernel-option'],
      }),
    ),
  )
  if (values.command === undefined) {
    const summary = addReports(
      tasks.map((_, index) => join(directory, `${index}/results/tests.json`)),
    )
    const { numPassedTests, numFailedTests, numPendingTests, testResults } = summary
    const table = formatTable(testResults.flatMap(({ assertionResults }) => assertionResults))
    for (const line of table) process.stdout.write(`${line}\n`)
    say(
      `in all guests: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`,
    )
    const report = process.env.TSRUNC_TEST_REPORT
    if (report !== undefined) writeFileSync(report, JSON.stringify(summary))
  }
  return statuses.find((status) => status !== 0) ?? 0
}

/**
 * One guest; returns its exit status, or 1 where it has none. One whose kernel ends, which is no
 * fault of what is tested in it, gets a second try.
 */
async function runTask(
  task: Task,
  settings: Omit<Boot, 'payload'>,
  isSecond = false,
): Promise<number> {
  mkdirSync(settings.directory)
  const payload = await makePayload(join(settings.directory, 'payload'), task)
  const outcome = await bootGuest({ ...settings, payload })
  if ('status' in outcome) return outcome.status
  say(outcome.failure)
  if (!isSecond && outcome.ended !== 'by us') {
    say('once more')
    rmSync(settings.directory, { recursive: true })
    return runTask(task, settings, true)
  }
  if (outcome.ended === 'before it was up') throw new NoGuestError('it does not boot: see above')
  return 1
}

/** A guest has one CPU: two of them share the tests, by the size of their files. */
function splitTests(files: readonly string[]): string[][] {
  const groups = Array.from({ length: Math.min(2, availableParallelism(), files.length) }, () => ({
    files: [] as string[],
    size: 0,
  }))
  for (const file of files.toSorted((a, b) => statSync(b).size - statSync(a).size)) {
    const [lightest] = groups.toSorted((a, b) => a.size - b.size)
    lightest?.files.push(file)
    if (lightest !== undefined) lightest.size += statSync(file).size
  }
  return groups.map((group) => group.files)
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly { readonly assertionResults: readonly Result[] }[]
}

/** Of all guests; one that left no results counts as a failure. */
function addReports(files: readonly string[]): Report {
  const reports = files.map(
    (file): Report =>
      existsSync(file)
        ? JSON.parse(readFileSync(file, 'utf8'))
        : { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, testResults: [] },
  )
  const add = (count: (report: Report) => number) =>
    reports.reduce((sum, report) => sum + count(report), 0)
  return {
    numPassedTests: add(({ numPassedTests }) => numPassedTests),
    numFailedTests: add(({ numFailedTests }) => numFailedTests),
    numPendingTests: add(({ numPendingTests }) => numPendingTests),
    testResults: reports.flatMap(({ testResults }) => testResults),
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(128))
}
try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof NoGuestError)) throw error
  say(`skipped: ${error.message}`)
  process.exitCode = SKIPPED
}
