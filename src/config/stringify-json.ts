/** JSON.stringify with bigint: all digits, as a plain number. */
export function stringifyJson(value: unknown, indent: string | number = 0): string {
  // Node 20 has no JSON.rawJSON. U+E000 is private: only a string that is nothing but a mark
  // and digits could be mistaken.
  const text = JSON.stringify(
    value,
    (_, member: unknown) => (typeof member === 'bigint' ? `\uE000${member}\uE000` : member),
    indent,
  )
  return text.replace(/"\uE000(-?\d+)\uE000"/g, '$1')
}
