/** /proc/PID/oom_score_adj, proc_pid_oom_score_adj(5). */
import { writeFileSync } from 'node:fs'
import { SyscallError } from '../errors.ts'

/** Children that the process makes from now on have it, too. */
export function setOomScore(pid: number, value: number, denied?: 'skip'): void {
  const path = `/proc/${pid}/oom_score_adj`
  try {
    writeFileSync(path, String(value))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (denied === 'skip' && (code === 'EACCES' || code === 'EPERM')) return
    const hint = 'a value below that of the caller needs CAP_SYS_RESOURCE'
    throw new SyscallError('write', `write(${JSON.stringify(path)}, "${value}")`, code, hint)
  }
}
