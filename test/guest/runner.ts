/** Runs bundled test files in this process, one after the other; the results in vitest's JSON form. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type File, startTests, type Task, type Test, type VitestRunner } from '@vitest/runner'
import { getSuites, getTests } from '@vitest/runner/utils'

const [resultsFile = '', setupFile = '', ...files] = process.argv.slice(2)
const { TSRUNC_TEST_NAME } = process.env
const namePattern = TSRUNC_TEST_NAME ? new RegExp(TSRUNC_TEST_NAME) : undefined
let times = 0
const started = Date.now()

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function fullName(task: Task): string {
  const parent = task.suite === undefined ? '' : fullName(task.suite)
  return parent === '' ? task.name : `${parent} > ${task.name}`
}

/** Why it was skipped, which the type of results does not know. */
function findNote(result: object = {}): string | undefined {
  return 'note' in result && typeof result.note === 'string' ? result.note : undefined
}

/** Not all that a command printed, and of the stack the line in the test. */
function describe({ message, stack = '' }: { message: string; stack?: string }): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '')
  const place = stack.split('\n').find((line) => line.includes('.test.mjs')) ?? ''
  const shown = lines.length > 12 ? [...lines.slice(0, 4), '…', ...lines.slice(-7)] : lines
  return [...shown, place.trim()].map((line) => `     ${line.slice(0, 400)}`).join('\n')
}

/** Of those that ran: what skips itself is not told of. */
function reportTest(test: Test): void {
  const { state, duration = 0, errors = [] } = { ...test.result }
  print(` ${state === 'pass' ? '✓' : '✗'} ${fullName(test)} ${(duration / 1000).toFixed(1)}s`)
  for (const error of errors) print(describe(error))
}

/** What was skipped before it began has its reason in its name, or was not asked for. */
function reportSkipped(test: Test): void {
  const note = findNote(test.result)
  if (note !== undefined) print(` - ${fullName(test)}: ${note}`)
  else if (namePattern === undefined) print(` - ${fullName(test)}`)
}

let planner: ChildProcess | undefined

/**
 * Container tests need not start Node for each of some thousand commands: a resident planner carries
 * them out. Engines find none, as with most users. TSRUNC_TEST_RESIDENT, 1 or 0, has it otherwise.
 */
function arrangePlanner({ filepath }: File): void {
  const asked = process.env.TSRUNC_TEST_RESIDENT
  const isContainers = filepath.includes('/test/containers/')
  if (asked === undefined ? isContainers : asked === '1') {
    planner ??= spawn('bin/tsrunc', ['serve'], { stdio: 'inherit' })
  } else {
    planner?.kill()
    planner = undefined
  }
}

const runner: VitestRunner = {
  config: {
    root: process.cwd(),
    setupFiles: [setupFile],
    name: undefined,
    passWithNoTests: false,
    testNamePattern: namePattern,
    allowOnly: false,
    sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' },
    chaiConfig: undefined,
    maxConcurrency: 5,
    // A command takes a second here, and twenty where the machine has much else to do.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  },
  // What is around each file is evaluated for each of them.
  importFile: (file, source) =>
    import(`${pathToFileURL(file).href}${source === 'setup' ? `?${times++}` : ''}`),
  onBeforeRunSuite(suite) {
    if (suite === suite.file) arrangePlanner(suite.file)
  },
  onAfterRunTask: reportTest,
}

function summarize(found: readonly File[]) {
  const tests = found.flatMap((file) => getTests(file))
  const count = (state: string) => tests.filter(({ result }) => result?.state === state).length
  const broken = found.filter(({ result }) => result?.state === 'fail')
  // What failed outside of a test: a hook, a file that cannot be loaded.
  for (const suite of [...found, ...found.flatMap((file) => getSuites(file))]) {
    for (const error of suite.result?.errors ?? []) {
      print(` ✗ ${fullName(suite)}`)
      print(describe(error))
    }
  }
  for (const test of tests) {
    if (test.result?.state !== 'pass' && test.result?.state !== 'fail') reportSkipped(test)
  }
  const passed = count('pass')
  const failed = count('fail')
  return {
    success: broken.length === 0,
    startTime: started,
    numTotalTests: tests.length,
    numPassedTests: passed,
    // A file that cannot be loaded or cleaned up fails without a test.
    numFailedTests: broken.length > 0 ? Math.max(failed, 1) : failed,
    numPendingTests: tests.length - passed - failed,
    testResults: found.map((file) => ({
      name: file.name,
      status: file.result?.state === 'fail' ? 'failed' : 'passed',
      assertionResults: getTests(file).map((test) => ({
        fullName: fullName(test),
        status: test.result?.state ?? 'skipped',
        duration: test.result?.duration ?? 0,
        failureMessages: (test.result?.errors ?? []).map((error) => error.stack ?? error.message),
      })),
    })),
  }
}

const summary = summarize(await startTests(files, runner))
writeFileSync(resultsFile, JSON.stringify(summary))
const { numPassedTests, numFailedTests, numPendingTests } = summary
const seconds = ((Date.now() - started) / 1000).toFixed(1)
print(
  `in the guest: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped (${seconds} s)`,
)
process.exit(summary.success ? 0 : 1)
