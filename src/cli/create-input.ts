/** The flags that `create` and `run` share, and what the engine needs of them. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { CreateInput } from '../engine/create-input.ts'
import type { CreateOptions } from '../host/facts.ts'
import { isRootOfSystemd } from '../host/own-user-namespace.ts'
import { notifyDirectoryPath } from '../state/notify-directory.ts'
import { checkId, openRoot } from '../state/store.ts'
import { type Context, type Flags, isSet, textFlag } from './command.ts'
import { readConsoleSocket } from './console-socket.ts'
import { parseCount } from './numbers.ts'
import { prepareCreate } from './prepare.ts'

export function addCreateFlags(command: Command): Command {
  return command
    .option('-b, --bundle <dir>', 'directory with config.json', '.')
    .option('-f, --config <file>', "read this in place of the bundle's config.json; - is stdin")
    .option(
      '--console-socket <path>',
      'unix socket that takes the terminal of a detached container',
    )
    .option('--pid-file <file>', "write the pid of the container's process here")
    .option('--pidfd-socket <path>', "unix socket that takes a pidfd of the container's process")
    .option('--no-pivot', 'move the root instead of pivot_root (for an initramfs)')
    .option('--no-new-keyring', "keep the caller's session keyring")
    .option('--preserve-fds <n>', 'pass n descriptors from 3 on, after those of LISTEN_FDS', '0')
}

export function readCreateInput(id: string, flags: Flags, context: Context): CreateInput {
  const { globals, request, log } = context
  checkId(id)
  // Made only with the first container: a config that is wrong leaves nothing behind.
  using root = existsSync(globals.root) ? openRoot(globals.root) : undefined
  const prepared = prepareCreate(readOptions(id, flags, context), request, {
    ...readConfigFlag(flags),
    ...(root && { cacheDirectory: root.fd }),
  })
  for (const line of prepared.ignored) log.debug(line)
  for (const warning of prepared.warnings) log.warning(warning)
  const pidFile = textFlag(flags, 'pidFile')
  const pidfdSocket =
    textFlag(flags, 'pidfdSocket') ?? prepared.spec.annotations?.['run.oci.pidfd_receiver']
  return {
    rootPath: globals.root,
    options: prepared.options,
    spec: prepared.spec,
    plan: prepared.plan,
    lowered: prepared.lowered,
    facts: prepared.facts,
    descriptors: request.descriptors,
    ...(pidFile && { pidFile: resolve(pidFile) }),
    ...(pidfdSocket && { pidfdSocket: resolve(pidfdSocket) }),
    warn: log.warning,
  }
}

/** Like all paths of a command line, it is relative to where the caller is. */
export function readConfigFlag(flags: Flags): { config?: string } {
  const config = textFlag(flags, 'config')
  return config === undefined ? {} : { config }
}

export function readOptions(
  id: string,
  flags: Flags,
  { globals, request }: Context,
): CreateOptions {
  return {
    id,
    bundle: resolve(textFlag(flags, 'bundle') ?? '.'),
    // commander's `--no-…` flags default to true.
    noPivot: flags.pivot === false,
    noNewKeyring: flags.newKeyring === false,
    preserveFds: parseCount('--preserve-fds', textFlag(flags, 'preserveFds') ?? '0'),
    systemdCgroup: globals.cgroupManager === 'systemd',
    withoutCgroup: globals.cgroupManager === 'disabled',
    ...findUserBus(request.env),
    listenFds: countListenFds(request.env, request.pid),
    detach: isSet(flags, 'detach'),
    ...readConsoleSocket(flags),
    ...(request.env.get('NOTIFY_SOCKET') && {
      notifyDirectory: notifyDirectoryPath(globals.root, id),
    }),
  }
}

/** The bus of the service manager that makes units for the caller: root's are the system's. */
function findUserBus(env: ReadonlyMap<string, string>): { readonly userBus?: string } {
  if (isRootOfSystemd()) return {}
  const directory = env.get('XDG_RUNTIME_DIR') ?? ''
  const address = env.get('DBUS_SESSION_BUS_ADDRESS') ?? ''
  if (address !== '') return { userBus: address }
  return directory === '' ? {} : { userBus: `unix:path=${directory}/bus` }
}

/** Meant for us only if it names us: a wrapper's own LISTEN_FDS must not reach the container. */
function countListenFds(env: ReadonlyMap<string, string>, pid: number): number {
  const count = env.get('LISTEN_FDS')
  if (count === undefined || env.get('LISTEN_PID') !== String(pid)) return 0
  return parseCount('LISTEN_FDS', count)
}
