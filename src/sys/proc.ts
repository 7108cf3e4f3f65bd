/** What /proc says of processes: file reads only, so that `state` loads no native code. */
import { readFileSync } from 'node:fs'

export interface ProcessFacts {
  /** Clock ticks after boot, field 22 of /proc/PID/stat: tells two users of one pid apart. */
  readonly startTime: string
  /** `R`, `S`, `Z` …, field 3. */
  readonly state: string
  /** No thread of it runs. A zombie may well have some: only its first thread left. */
  readonly hasEnded: boolean
  /** As wait(2) gives it, field 52: of a zombie, how it ended. */
  readonly waitStatus: number
}

/** What /proc/PID/stat says; undefined when there is no such process. proc_pid_stat(5). */
export function readProcess(pid: number): ProcessFacts | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The name in parentheses may hold spaces and parentheses: fields count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = ''] = fields
  // Field 20 counts the threads, the zombie itself among them.
  const isLast = Number(fields[17]) <= 1
  return {
    state,
    hasEnded: state === 'X' || (state === 'Z' && isLast),
    startTime: fields[19] ?? '',
    waitStatus: Number(fields[49] ?? 0),
  }
}

/** Differs after each boot: a start time means nothing without it. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}
