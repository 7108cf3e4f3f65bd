/** `npm run test:guest`: boots the guest, runs something in it, ends with its exit status. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { provideImage } from './image.ts'
import { bootGuest } from './machine.ts'
import { NoGuestError, providePackages } from './packages.ts'
import { makePayload } from './payload.ts'

const USAGE = `npm run test:guest -- [--full] [--timeout SECONDS] [--kernel-option WORD]…
                      [--command 'SHELL COMMAND' | TEST FILE…]`

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
  const task =
    values.command === undefined
      ? { tests: positionals.length > 0 ? positionals : findTests() }
      : { command: values.command }
  providePackages(values.full, say)
  const image = provideImage(values.full, say)
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-guest-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const payload = await makePayload(join(directory, 'payload'), task)
  const outcome = await bootGuest({
    image,
    payload,
    directory,
    seconds: Number(values.timeout ?? (values.full ? 3600 : 600)),
    kernelOptions: values['kernel-option'],
  })
  const tests = join(directory, 'results/tests.json')
  const report = process.env.TSRUNC_TEST_REPORT
  if (report !== undefined && existsSync(tests)) copyFileSync(tests, report)
  if ('status' in outcome) return outcome.status
  say(outcome.failure)
  return 1
}

function findTests(): string[] {
  return readdirSync('test/containers')
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/containers/${name}`)
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
