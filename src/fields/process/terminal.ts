import type { Mount, Spec } from '../../config/spec.ts'
import type { Issue, Pointer } from '../../errors.ts'
import { isBind } from '../../host/questions.ts'
import type { AttachTerminal } from '../../plan/steps.ts'
import { cleanPath } from '../container-path.ts'
import type { Contribution, Field, Planning } from '../field.ts'
import { isDevBound } from '../linux/devices.ts'

/** `terminal` with `consoleSize`. */
export const terminal: Field<boolean> = {
  plan: planTerminal,
  absent: (at, planning) => planTerminal(false, at, planning),
}

function planTerminal(isWanted: boolean, origin: Pointer, planning: Planning): Contribution {
  const issues = checkSocket(isWanted, origin, planning)
  if (issues.length > 0) return { issues }
  if (!isWanted) return {}
  const { spec } = planning
  const phase = 'terminal'
  const from = hasDevpts(spec) ? 'container' : 'runtime'
  return {
    steps: [
      { kind: 'open-terminal', phase, origin, from },
      {
        kind: 'attach-terminal',
        phase,
        origin,
        uid: spec.process?.user?.uid ?? 0,
        ...planSize(spec),
      },
      { kind: 'bind-console', phase: 'console', origin, make: !isDevBound(planning) },
    ],
  }
}

/** In runc's words, which callers know. */
function checkSocket(isWanted: boolean, pointer: Pointer, { options }: Planning): Issue[] {
  const { detach, consoleSocket } = options
  if (detach && isWanted && consoleSocket === undefined) {
    const message = 'cannot allocate tty if runc will detach without setting console socket'
    return [{ pointer, expected: 'false', message: `${message} (hint: --console-socket PATH)` }]
  }
  if (consoleSocket !== undefined && !(detach && isWanted)) {
    const message = 'cannot use console socket if runc will not detach or allocate tty'
    return [{ pointer: '--console-socket', expected: 'no socket', message }]
  }
  return []
}

/** Zero is what a terminal has whose size nobody knows. */
function planSize({ process }: Spec): Pick<AttachTerminal, 'size'> {
  const { height: rows = 0, width: columns = 0 } = process?.consoleSize ?? {}
  return rows > 0 && columns > 0 ? { size: { rows, columns } } : {}
}

/** A devpts at /dev/pts, mounted there or bound with or without the /dev that it lies in. */
function hasDevpts({ mounts = [] }: Spec): boolean {
  return mounts.some((mount) => {
    const destination = cleanPath(mount.destination)
    if (destination === '/dev/pts') return isBind(mount) || mount.type === 'devpts'
    return destination === '/dev' && isRecursiveBind(mount)
  })
}

function isRecursiveBind(mount: Mount): boolean {
  return isBind(mount) && (mount.options ?? []).includes('rbind')
}
