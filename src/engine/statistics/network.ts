import { readFileSync, readlinkSync } from 'node:fs'

/** runc's names. */
export interface NetworkInterface {
  readonly Name: string
  readonly RxBytes: bigint
  readonly RxPackets: bigint
  readonly RxErrors: bigint
  readonly RxDropped: bigint
  readonly TxBytes: bigint
  readonly TxPackets: bigint
  readonly TxErrors: bigint
  readonly TxDropped: bigint
}

/** The interfaces of a process's network namespace but `lo`; null where that is ours, too. */
export function readNetwork(pid: number): readonly NetworkInterface[] | null {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) return null
    return parseInterfaces(readFileSync(`/proc/${pid}/net/dev`, 'latin1'))
  } catch {
    // It has ended meanwhile.
    return null
  }
}

/** proc_pid_net(5): two lines of header, then eight columns received and eight transmitted. */
export function parseInterfaces(text: string): readonly NetworkInterface[] {
  return [...text.matchAll(/^\s*(\S+):\s*([\d ]+)$/gm)]
    .filter(([, name]) => name !== 'lo')
    .map(([, name = '', columns = '']) => {
      const counts = columns.trim().split(/\s+/).map(BigInt)
      const at = (index: number) => counts[index] ?? 0n
      return {
        Name: name,
        RxBytes: at(0),
        RxPackets: at(1),
        RxErrors: at(2),
        RxDropped: at(3),
        TxBytes: at(8),
        TxPackets: at(9),
        TxErrors: at(10),
        TxDropped: at(11),
      }
    })
}
