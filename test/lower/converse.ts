/** Runs a program and answers its meets, as the engine does. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Answer, type Meeting, receiveMeeting, sendAnswer } from '../../src/engine/protocol.ts'
import type { Program } from '../../src/lower/assembler.ts'
import { FD, STATUS_SIZE } from '../../src/lower/instruction-set.ts'
import { closeFd } from '../../src/sys/fd.ts'
import { waitForChild } from '../../src/sys/process.ts'
import { createSocketPair, receiveMessage } from '../../src/sys/socket.ts'
import { spawnExecutable } from '../../src/sys/spawn.ts'
import { buildOnce, describeFailure, makeDirectory } from './rig.ts'

export interface Conversation {
  readonly failure: string | undefined
  /** Exit status of lane 0. */
  readonly code: number | undefined
  readonly stdout: string
}

/** `serve` answers each meeting; undefined is for posts. */
export function converse(
  program: Program,
  serve: (meeting: Meeting) => Answer | undefined = () => undefined,
): Conversation {
  const work = makeDirectory('converse')
  const path = (name: string): string => join(work, name)
  writeFileSync(path('program'), program.bytes)
  writeFileSync(path('status'), new Uint8Array(STATUS_SIZE))
  const [ours, theirs] = createSocketPair()
  // Its end is the end of the last process: the control socket ends with execve.
  const [printed, output] = createSocketPair()
  const files = [
    openSync('/dev/null', 'r'),
    openSync(path('program'), 'r'),
    openSync(path('status'), 'r+'),
    openSync(buildOnce(), 'r'),
  ] as const
  const [input, code, status, executor] = files
  const pid = spawnExecutable(
    executor,
    ['executor'],
    [
      { from: input, to: 0 },
      { from: output, to: 1 },
      { from: output, to: 2 },
      { from: code, to: FD.program },
      { from: theirs, to: FD.control },
      { from: status, to: FD.status },
    ],
  )
  closeFd(theirs)
  closeFd(output)
  files.forEach(closeSync)
  for (;;) {
    const meeting = receiveMeeting(ours)
    if (meeting === undefined) break
    const answer = serve(meeting)
    if (answer !== undefined) sendAnswer(ours, answer)
    meeting.fds.forEach(closeFd)
  }
  closeFd(ours)
  const stdout: Uint8Array[] = []
  for (let more = receiveMessage(printed, 65536); more !== undefined; ) {
    stdout.push(more.bytes)
    more = receiveMessage(printed, 65536)
  }
  closeFd(printed)
  return {
    code: waitForChild(pid).code,
    failure: describeFailure(readFileSync(path('status')), program),
    stdout: Buffer.concat(stdout).toString(),
  }
}
