/** Pressure stall information, Documentation/accounting/psi.rst. */
export interface Pressure {
  readonly some: PressureLine
  readonly full: PressureLine
}

/** Percentages of time, averaged over so many seconds; `total` in µs. */
interface PressureLine {
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  readonly total: bigint
}

const NONE: PressureLine = { avg10: 0, avg60: 0, avg300: 0, total: 0n }

/** A `psi` member; none where the kernel does not count. */
export function readPressure(text: string | undefined): { readonly psi?: Pressure } {
  if (text === undefined) return {}
  const find = (kind: string) => {
    const line = new RegExp(`^${kind} avg10=(\\S+) avg60=(\\S+) avg300=(\\S+) total=(\\d+)`, 'm')
    const [, avg10, avg60, avg300, total = '0'] = line.exec(text) ?? []
    if (avg10 === undefined) return NONE
    return {
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
      total: BigInt(total),
    }
  }
  return { psi: { some: find('some'), full: find('full') } }
}
