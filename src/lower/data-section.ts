/** The data of a program: strings, structs and room for results, with relocations. */
import type { DataRef } from './operands.ts'

export interface Relocation {
  /** Offset of the u64 that becomes an address. */
  readonly at: number
  /** Offset of what it points to. */
  readonly to: number
}

export type DataSection = ReturnType<typeof createDataSection>

export function createDataSection() {
  const relocations: Relocation[] = []
  const strings = new Map<string, DataRef>()
  let content = new Uint8Array(4096)
  let used = 0

  function reserve(size: number, alignment: number): DataRef {
    const offset = Math.ceil(used / alignment) * alignment
    used = offset + size
    if (used > content.length) {
      const larger = new Uint8Array(Math.max(content.length * 2, used))
      larger.set(content)
      content = larger
    }
    return { offset, size }
  }

  function append(bytes: Uint8Array, alignment: number): DataRef {
    const ref = reserve(bytes.length, alignment)
    content.set(bytes, ref.offset)
    return ref
  }

  return {
    /** Bytes in the data; zeroed room if only a size is given. */
    bytes: (value: Uint8Array | number, alignment = 8): DataRef =>
      typeof value === 'number' ? reserve(value, alignment) : append(value, alignment),

    /** A NUL-terminated string; equal strings share their place. Refuses an embedded NUL. */
    string(text: string): DataRef {
      const known = strings.get(text)
      if (known !== undefined) return known
      if (text.includes('\0')) throw new Error(`NUL byte in ${JSON.stringify(text)}`)
      const ref = append(Buffer.from(`${text}\0`), 1)
      strings.set(text, ref)
      return ref
    },

    /** At run time the u64 at `ref.offset + at` holds the address of `to`. */
    relocate(ref: DataRef, at: number, to: DataRef): void {
      relocations.push({ at: ref.offset + at, to: to.offset })
    },

    /** A NULL-terminated array of pointers: argv, envp. */
    pointers(items: readonly DataRef[]): DataRef {
      const ref = reserve((items.length + 1) * 8, 8)
      items.forEach((item, index) => {
        relocations.push({ at: ref.offset + index * 8, to: item.offset })
      })
      return ref
    },

    /** The last byte is a NUL: the executor relies on every string's end. */
    finish(): { content: Uint8Array; relocations: readonly Relocation[] } {
      reserve(8, 8)
      return { content: content.subarray(0, used), relocations }
    },
  }
}
