/**
 * The conversation between the runtime and a program that the executor runs, over one
 * SOCK_SEQPACKET socket. Layouts: lower/instruction-set.ts.
 *
 *     executor                          runtime
 *     post  number, values, fds  ────▶            (no answer)
 *     meet  number, values, fds  ────▶            works on it while the executor waits
 *                                ◀────  verdict, bytes, fds
 *     (end of file)              ────▶            every process of the program left or executed
 */
import { MEET_SIZE, VERDICT, VERDICT_HEADER_SIZE } from '../lower/instruction-set.ts'
import { closeFd } from '../sys/fd.ts'
import { receiveMessage, sendMessage } from '../sys/socket.ts'

export interface Meeting {
  readonly number: number
  readonly lane: number
  readonly values: readonly bigint[]
  /** Owned by whoever receives the meeting. */
  readonly fds: readonly number[]
}

/** What the runtime answers; its fds stay the runtime's. */
export interface Answer {
  readonly verdict: keyof typeof VERDICT
  readonly bytes?: Uint8Array
  readonly fds?: readonly number[]
  /** Called when it was sent, or could not be: for fds that are of no more use. */
  readonly sent?: () => void
}

/** The next meeting; undefined when the other side is gone. Waits as long as that side lives. */
export function receiveMeeting(control: number): Meeting | undefined {
  const message = receiveMessage(control, MEET_SIZE)
  if (message === undefined) return undefined
  if (message.bytes.length !== MEET_SIZE) {
    message.fds.forEach(closeFd)
    throw new Error(`the executor sent ${message.bytes.length} bytes instead of ${MEET_SIZE}`)
  }
  const view = new DataView(message.bytes.buffer, message.bytes.byteOffset, MEET_SIZE)
  return {
    number: view.getUint32(0, true),
    lane: view.getUint32(4, true),
    values: [16, 24, 32].map((at) => view.getBigUint64(at, true)),
    fds: message.fds,
  }
}

/** Answers the meeting that the other side waits in. */
export function sendAnswer(control: number, answer: Answer): void {
  try {
    sendMessage(control, encodeAnswer(answer), answer.fds ?? [])
  } finally {
    answer.sent?.()
  }
}

function encodeAnswer(answer: Answer): Uint8Array {
  const bytes = answer.bytes ?? new Uint8Array(0)
  const packet = new Uint8Array(VERDICT_HEADER_SIZE + bytes.length)
  const view = new DataView(packet.buffer)
  view.setUint32(0, VERDICT[answer.verdict], true)
  view.setUint32(4, bytes.length, true)
  packet.set(bytes, VERDICT_HEADER_SIZE)
  return packet
}
