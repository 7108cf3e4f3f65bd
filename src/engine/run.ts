/**
 * `run`: create and start in one. In the foreground nothing of Node stays: the supervisor (our
 * parent) gets the container's pidfd and a teardown program, and this process ends.
 */
import { ftruncateSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { STATUS_SIZE } from '../lower/instruction-set.ts'
import { lowerTeardown, type StateDirectory } from '../lower/teardown.ts'
import type { ContainerRecord } from '../state/record.ts'
import { endOffset } from '../state/status.ts'
import { makeStatusPage } from '../state/status-page.ts'
import { CONTAINER_DIRECTORIES, CONTAINER_FILES, type ContainerDirectory } from '../state/store.ts'
import { closeFd } from '../sys/fd.ts'
import { createMemfd, createSealedMemfd } from '../sys/memfd.ts'
import { sendMessage } from '../sys/socket.ts'
import { findOwnParents } from './cgroups/remove.ts'
import { createContainer } from './create.ts'
import type { CreateInput } from './create-input.ts'
import { deleteContainer } from './delete.ts'
import { openExecutor } from './execution.ts'
import { renderHookState } from './hook-state.ts'
import { INIT_LANE } from './new-record.ts'
import { finishStart, startContainer } from './start.ts'
import { encodeCreated, encodeSupervise, type Teardown } from './supervisor-protocol.ts'

const SECOND = 1_000_000_000n

export interface RunInput extends CreateInput {
  readonly detach: boolean
  readonly keep: boolean
  /** Of who waits until the container is ready: NOTIFY_SOCKET of the caller. */
  readonly notifySocket?: string
  /** The socket to the supervisor; absent: there is none, as with --detach. */
  readonly supervisor?: number
  /** Called before the supervisor takes over: from then on this process may be gone any time. */
  readonly succeeded?: () => void
}

/** Runs a container; when it returns, the container runs and this process has nothing to do. */
export function runContainer(input: RunInput): void {
  const { supervisor, rootPath, warn } = input
  const { architecture } = input.facts
  const { id } = input.options
  const fallback = ['--root', rootPath, 'delete', '--force', id]
  const claimed = (directory: ContainerDirectory) => {
    if (supervisor === undefined) return
    const page = makeStatusPage(directory)
    const message = encodeCreated(fallback, { page, offset: endOffset(INIT_LANE) })
    try {
      sendMessage(supervisor, message.bytes, message.descriptors)
    } finally {
      closeFd(page)
    }
  }
  const { record, pidfd, terminal } = createContainer({ ...input, claimed })
  try {
    const started = startContainer(rootPath, id, architecture, input.notifySocket)
    if (input.detach || supervisor === undefined) {
      finishStart(started)
      return
    }
    const { notification } = started
    const teardown = input.keep ? undefined : prepareTeardown(input, record)
    const message = encodeSupervise({
      pid: record.pid,
      pidfd,
      fallback,
      ...(teardown && { teardown }),
      ...(terminal !== undefined && { terminal }),
      ...(notification && { notification }),
    })
    input.succeeded?.()
    sendMessage(supervisor, message.bytes, message.descriptors)
  } catch (error) {
    deleteContainer({ rootPath, id, force: true, architecture, warn })
    throw error
  } finally {
    closeFd(pidfd)
    if (terminal !== undefined) closeFd(terminal)
  }
}

/** What the supervisor does at the end without us; this process exits soon and closes the fds. */
function prepareTeardown(input: RunInput, record: ContainerRecord): Teardown {
  const program = lowerTeardown({
    architecture: input.facts.architecture,
    cgroups: record.cgroups.map(({ hierarchy, path, version }) => ({
      path: join(hierarchy, path),
      version,
    })),
    parents: record.cgroups.flatMap((cgroup) =>
      findOwnParents(cgroup).map((directory) => join(cgroup.hierarchy, directory)),
    ),
    directories: record.resctrlGroups ?? [],
    poststop: record.hooks.poststop.map((step) => ({
      step,
      state: Buffer.from(renderHookState({ ...record, pid: 0 }, 'stopped')),
    })),
    bundle: record.bundle,
    ...(record.unit && { unit: record.unit.name }),
    stateDirectory: identify(join(input.rootPath, record.id)),
  })
  const status = createMemfd('tsrunc-teardown-status')
  ftruncateSync(status, STATUS_SIZE)
  return {
    executor: openExecutor(),
    program: createSealedMemfd('tsrunc-teardown', program.bytes),
    status,
  }
}

function identify(path: string): StateDirectory {
  const { ino, birthtimeNs } = lstatSync(path, { bigint: true })
  const birth = { seconds: birthtimeNs / SECOND, nanoseconds: birthtimeNs % SECOND }
  return { path, files: CONTAINER_FILES, directories: CONTAINER_DIRECTORIES, inode: ino, birth }
}
