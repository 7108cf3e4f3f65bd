import { readdirSync, readFileSync } from 'node:fs'

export interface Child {
  readonly pid: number
  /** At most 15 bytes: of its executable, or what it gave itself (PR_SET_NAME). */
  readonly name: string
  /** Ended, and nobody waited for it. */
  readonly isZombie: boolean
}

/**
 * The children of all threads of a process. All of /proc is read, for the kernel's own list may pass
 * over a child while another one ends (proc_pid_task_children(5)).
 */
export function childrenOf(parent: number): readonly Child[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => readChild(Number(pid), parent))
}

function readChild(pid: number, parent: number): readonly Child[] {
  const [, name = '', state, ppid] = /^\d+ \((.*)\) (\S) (\d+) /s.exec(readStat(pid)) ?? []
  return Number(ppid) === parent ? [{ pid, name, isZombie: state === 'Z' }] : []
}

/** Empty when it is gone. */
function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return ''
  }
}
