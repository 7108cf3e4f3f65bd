/** uid_map and gid_map of a user namespace, by the pid of the process that made it and waits. */
import { readFileSync, writeFileSync } from 'node:fs'
import { describeError, SyscallError } from '../errors.ts'
import type { IdRange, MapIds, SetTimeOffsets } from '../plan/steps.ts'

/** newuidmap looks users up, which may ask a network: it still has to end. */
const HELPER_TIMEOUT_MS = 30_000

/** The gid_map last: once it is written, `setgroups` cannot be denied any more. */
export function writeIdMaps(
  pid: number,
  maps: Pick<MapIds, 'uidMappings' | 'gidMappings' | 'setgroups' | 'helpers'>,
): void {
  const { uidMappings, gidMappings, setgroups, helpers } = maps
  if (helpers !== undefined) {
    runHelper(helpers.uid, pid, uidMappings)
    runHelper(helpers.gid, pid, gidMappings)
    return
  }
  if (setgroups === 'deny' && readFileSync(`/proc/${pid}/setgroups`, 'latin1') !== 'deny\n') {
    write(pid, 'setgroups', 'deny')
  }
  write(pid, 'uid_map', formatMap(uidMappings))
  write(pid, 'gid_map', formatMap(gidMappings))
}

/** In one write(2): the kernel takes a map once and whole. */
function formatMap(mappings: readonly IdRange[]): string {
  return mappings
    .map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`)
    .join('')
}

const HINTS: Readonly<Record<string, string>> = {
  'uid_map EPERM': "ids of others need newuidmap, or the caller's own namespace has no such ids",
  'gid_map EPERM': "ids of others need newgidmap, or the caller's own namespace has no such ids",
  'uid_map EINVAL': 'ranges overlap, or there are more than the kernel takes',
  'gid_map EINVAL': 'ranges overlap, or there are more than the kernel takes',
  'timens_offsets ERANGE': 'the clock would be negative, or too far in the future',
}

function write(pid: number, file: string, value: string): void {
  const path = `/proc/${pid}/${file}`
  try {
    writeFileSync(path, value)
  } catch (error) {
    const code =
      error instanceof Error && 'code' in error ? String(error.code) : describeError(error)
    const call = `write(${JSON.stringify(path)}, ${JSON.stringify(value)})`
    throw new SyscallError('write', call, code, HINTS[`${file} ${code}`])
  }
}

/** It checks /etc/subuid or /etc/subgid itself, and says what it does not like. */
function runHelper(path: string, pid: number, mappings: readonly IdRange[]): void {
  const ranges = mappings.flatMap((range) => [range.containerID, range.hostID, range.size])
  const args = [pid, ...ranges].map(String)
  // Not imported: only this needs it, and it costs every command a millisecond.
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const { status, signal, error, stderr } = spawnSync(path, args, {
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: HELPER_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
  })
  if (status === 0) return
  const words = stderr?.trim().replaceAll(/\s*\n\s*/g, ' | ')
  const end = status === null ? `ended by ${signal ?? 'nothing'}` : `exit status ${status}`
  const cause = words || (error === undefined ? end : describeError(error))
  const file = path.endsWith('newgidmap') ? '/etc/subgid' : '/etc/subuid'
  throw new Error(`${path} ${args.join(' ')}: ${cause} (hint: what a user may map is in ${file})`)
}

/** Of the process's next child. */
export function writeTimeOffsets(pid: number, { offsets }: SetTimeOffsets): void {
  const lines = offsets.map(({ clock, secs, nanosecs }) => `${clock} ${secs} ${nanosecs}\n`)
  write(pid, 'timens_offsets', lines.join(''))
}
