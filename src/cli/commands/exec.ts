import { resolve } from 'node:path'
import type { Process } from '../../config/spec.ts'
import { execProcess } from '../../engine/exec.ts'
import { openExecTarget } from '../../engine/exec-target.ts'
import type { ExecOptions } from '../../host/facts.ts'
import {
  type CommandDefinition,
  type Context,
  collect,
  type Flags,
  isSet,
  listFlag,
  textFlag,
} from '../command.ts'
import { readConsoleSocket } from '../console-socket.ts'
import { changeProcess } from '../exec-process.ts'
import { parseCount } from '../numbers.ts'
import { prepareExec } from '../prepare-exec.ts'
import { parseSubCgroups } from '../sub-cgroups.ts'

export const exec: CommandDefinition = {
  summary: 'run a further process in a container',
  positionals: ['ID', '[CMD…]'],
  stopsAtPositional: true,
  // What a program may well return itself is at the other end: engines tell the two apart by it.
  failureStatus: 255,
  addFlags(command) {
    command
      .option('-p, --process <file>', 'the process as JSON, in place of CMD and the flags below')
      .option('--cwd <dir>', 'working directory')
      .option('-e, --env <name=value>', 'a further variable; repeatable', collect, [])
      .option('-u, --user <uid[:gid]>', 'run as this user')
      .option('-g, --additional-gids <gid>', 'a further group; repeatable', collect, [])
      .option('-c, --cap <name>', 'a further capability; repeatable', collect, [])
      .option('--no-new-privs', 'no program may gain privileges')
      .option('--apparmor <profile>', 'run under this AppArmor profile')
      .option('--process-label <label>', 'run with this SELinux label')
      .option('-t, --tty', 'give it a terminal')
      .option('--console-socket <path>', 'unix socket that takes the terminal')
      .option('-d, --detach', 'return as soon as the program runs')
      .option('--pid-file <file>', 'write the pid of the process here')
      .option('--pidfd-socket <path>', 'unix socket that takes a pidfd of the process')
      .option('--preserve-fds <n>', 'pass n descriptors from 3 on', '0')
      .option('--cgroup <path>', 'cgroup below the container’s, [ctrl[,ctrl]:]path', collect, [])
      .option('--ignore-paused', 'also in a paused container: it runs once that is resumed')
  },
  async run([id = '', ...words], flags, context) {
    const { request, globals, log, architecture } = context
    using target = openExecTarget(globals.root, id, isSet(flags, 'ignorePaused'))
    const chosen = await chooseProcess(target.config.spec.process, words, flags)
    const options = readOptions(id, target.record.bundle, target.config.noNewKeyring, flags)
    const { plan, lowered } = prepareExec(target, chosen.process, options, request, chosen.refuse)
    for (const line of chosen.ignored) log.debug(line)
    for (const warning of [...chosen.warnings, ...plan.warnings]) log.warning(warning)
    execProcess({
      target,
      options,
      lowered,
      architecture,
      descriptors: request.descriptors,
      ...readSockets(flags, context),
      succeeded: context.flushLog,
    })
    return {}
  },
}

async function chooseProcess(own: Process, words: readonly string[], flags: Flags) {
  const file = textFlag(flags, 'process') ?? ''
  if (file === '') return changeProcess(own, words, flags)
  return (await import('../exec-process-file.ts')).readProcess(own, file, words, flags)
}

function readOptions(id: string, bundle: string, noNewKeyring: boolean, flags: Flags): ExecOptions {
  return {
    id,
    bundle,
    noPivot: false,
    noNewKeyring,
    preserveFds: parseCount('--preserve-fds', textFlag(flags, 'preserveFds') ?? '0'),
    systemdCgroup: false,
    // Meant for the process that create started, as in runc.
    listenFds: 0,
    detach: isSet(flags, 'detach'),
    ...readConsoleSocket(flags),
    subCgroups: parseSubCgroups(listFlag(flags, 'cgroup')),
  }
}

function readSockets(flags: Flags, { request: { supervisor } }: Context) {
  const pidFile = textFlag(flags, 'pidFile')
  const pidfdSocket = textFlag(flags, 'pidfdSocket')
  return {
    ...(pidFile && { pidFile: resolve(pidFile) }),
    ...(pidfdSocket && { pidfdSocket: resolve(pidfdSocket) }),
    ...(supervisor !== undefined && { supervisor }),
  }
}
