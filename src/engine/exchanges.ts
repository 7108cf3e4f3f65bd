/** What the container's process asks of the runtime in the middle of its program. */
import type { Exchange } from '../lower/meets.ts'
import { closeFd } from '../sys/fd.ts'
import { copyUp } from './copy-up.ts'
import type { Creation } from './creation.ts'
import { type ExecutableKind, inspectExecutable } from './executable.ts'
import { toHookContainer } from './hook-state.ts'
import { fdsOf, openHookFiles } from './hooks.ts'
import { moveNetDevice } from './net-devices.ts'
import { findHome } from './passwd.ts'
import type { Answer, Meeting } from './protocol.ts'
import { passTerminal } from './terminal.ts'
import { openTree } from './trees.ts'

/** Answers one exchange. */
export function exchange(creation: Creation, step: Exchange, meeting: Meeting): Answer {
  const [first, second] = meeting.fds
  switch (step.kind) {
    case 'read-home':
      return answerText(`HOME=${findHome(first, step.uid)}`)
    case 'inspect-executable': {
      if (first === undefined) return { verdict: 'proceed' }
      const kind = inspectExecutable(first, creation.input.facts.architecture)
      creation.executable = kind
      if (kind.foreign !== undefined) {
        creation.record = { ...creation.record, foreignExecutable: kind.foreign }
      }
      return answerInspection(kind)
    }
    case 'mount-filesystem':
      if (first === undefined || second === undefined) throw new Error('copy-up without its fds')
      copyUp(first, second, step.parameters)
      return { verdict: 'proceed' }
    case 'move-net-device':
      if (first === undefined) throw new Error('no netlink socket: a bug in tsrunc')
      moveNetDevice(step, first)
      return { verdict: 'proceed' }
    case 'load-seccomp':
      throw new Error('create loads no filter: a bug in tsrunc')
    case 'attach-terminal': {
      const kept = passTerminal(first, creation.input.options.consoleSocket)
      if (kept !== undefined) creation.terminal = kept
      return { verdict: 'proceed' }
    }
    case 'bind-rootfs':
    case 'bind-mount': {
      const { record, input } = creation
      const { architecture } = input.facts
      return handOver(openTree(step, { pid: record.pid, architecture }))
    }
    case 'run-hook': {
      const files = openHookFiles(toHookContainer(creation.record), step)
      creation.hookFiles.push(files)
      return { verdict: 'proceed', fds: fdsOf(files) }
    }
  }
}

/** The interpreter, for the process to see whether it is there. */
export function answerInspection({ interpreter }: ExecutableKind): Answer {
  return interpreter?.startsWith('/') ? answerText(interpreter) : { verdict: 'proceed' }
}

/** The other side has its own copy once the answer is sent. */
function handOver(fd: number): Answer {
  return { verdict: 'proceed', fds: [fd], sent: () => closeFd(fd) }
}

/** `text` holds a byte in each character, as it was read from the container's file. */
export function answerText(text: string): Answer {
  return { verdict: 'proceed', bytes: Buffer.from(`${text}\0`, 'latin1') }
}
