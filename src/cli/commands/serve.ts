import { installedPath } from '../../engine/installation.ts'
import { UsageError } from '../../errors.ts'
import { type CommandDefinition, isSet, textFlag } from '../command.ts'
import { parseCount } from '../numbers.ts'
import { describeProgram } from '../program.ts'

/** fds that the manager gives to a worker. */
const LIFELINE = 0
const LISTENING = 3

export const serve: CommandDefinition = {
  summary: 'keep Node running, so that the other commands of root need not start it',
  positionals: [],
  addFlags(command) {
    command
      .option('--workers <n>', 'how many commands it carries out at once', '2')
      .option('--print-unit', 'print a unit for systemd that does this, and leave')
      .option('--worker', 'what it starts itself with, that many times')
  },
  lasts: () => true,
  async run(_positionals, flags, { answer, request }) {
    if (isSet(flags, 'printUnit')) return { output: renderUnit() }
    if (isSet(flags, 'worker')) {
      const { serveCallers } = await import('../../resident/worker.ts')
      // Loaded before somebody waits for it.
      await describeProgram()
      await serveCallers({ listening: LISTENING, lifeline: LIFELINE, answer })
      return {}
    }
    const count = parseCount('--workers', textFlag(flags, 'workers') ?? '')
    if (count === 0) throw new UsageError('--workers must be 1 or more')
    const { keepWorkers } = await import('../../resident/manager.ts')
    await keepWorkers(request.residentSocket, count)
    return {}
  },
}

/** KillMode: what the workers are at, they finish. */
function renderUnit(): string {
  return `[Unit]
Description=Resident planner of tsrunc

[Service]
ExecStart=${installedPath('tsrunc')} serve
KillMode=mixed
Restart=on-failure

[Install]
WantedBy=multi-user.target
`
}
