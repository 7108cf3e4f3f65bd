/** What `state` and `list` print of containers. */
import { readFileSync } from 'node:fs'
import { describeError } from '../errors.ts'
import type { ContainerRecord } from './record.ts'
import { readExitStatus, readStatus, type Status } from './status.ts'
import { readStatusPage } from './status-page.ts'
import { containerExists, listContainers, openContainer, openRoot, readRecord } from './store.ts'

/** OCI state and what runc adds, in runc's order of members. */
export interface ContainerDescription {
  readonly ociVersion: string
  readonly id: string
  /** 0 when stopped. */
  readonly pid: number
  readonly status: Status
  readonly bundle: string
  readonly rootfs: string
  readonly created: string
  readonly annotations: Readonly<Record<string, string>>
  /** Name of who created it, '' if the uid has none. */
  readonly owner: string
  /** How it ended, 128 + n by a signal; absent while it runs and where nobody was there to see. */
  readonly exitStatus?: number
}

/** One container. Throws StateError when it does not exist or its record is damaged. */
export function describeContainer(rootPath: string, id: string): ContainerDescription {
  using root = openRoot(rootPath)
  using directory = openContainer(root, id)
  const record = readRecord(directory)
  const status = readStatus(directory, record)
  const isOver = status === 'stopped'
  return describe(
    record,
    status,
    isOver ? readExitStatus(readStatusPage(directory), record.lane) : undefined,
  )
}

/** All containers; one that cannot be read goes to `warn` and does not hide the others. */
export function describeContainers(
  rootPath: string,
  warn: (message: string) => void,
): readonly ContainerDescription[] {
  using root = openRoot(rootPath)
  return listContainers(root).flatMap((id) => {
    try {
      return [describeContainer(rootPath, id)]
    } catch (error) {
      // Deleted while we looked.
      if (!containerExists(root, id)) return []
      warn(describeError(error))
      return []
    }
  })
}

function describe(
  record: ContainerRecord,
  status: Status,
  exitStatus: number | undefined,
): ContainerDescription {
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    annotations: record.annotations,
    owner: findUserName(record.owner),
    ...(exitStatus !== undefined && { exitStatus }),
  }
}

/** A host may well have no such file, or not this uid in it. */
function findUserName(uid: number): string {
  try {
    const lines = readFileSync('/etc/passwd', 'latin1').split('\n')
    return lines.map((line) => line.split(':')).find(([, , id]) => id === String(uid))?.[0] ?? ''
  } catch {
    return ''
  }
}
