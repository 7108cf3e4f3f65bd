/** Finds out what is wrong with text that JSON.parse has refused (RFC 8259). */

export interface SyntaxFault {
  readonly offset: number
  readonly expected: string
  readonly found: string
}

interface Cursor {
  readonly text: string
  readonly maxDepth: number
  at: number
  expected: string
}

export function findSyntaxError(text: string, maxDepth: number): SyntaxFault {
  const cursor: Cursor = { text, maxDepth, at: 0, expected: 'valid JSON' }
  skipSpace(cursor)
  if (readValue(cursor, 1)) {
    skipSpace(cursor)
    cursor.expected = 'the end of the file'
  }
  return { offset: cursor.at, expected: cursor.expected, found: describe(text, cursor.at) }
}

function describe(text: string, offset: number): string {
  const word = /[\w.+-]{1,20}|./suy
  word.lastIndex = offset
  const match = word.exec(text)
  return match === null ? 'the end of the file' : `\`${visible(match[0])}\``
}

function visible(token: string): string {
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(token) ? JSON.stringify(token).slice(1, -1) : token
}

function fail(cursor: Cursor, expected: string): false {
  cursor.expected = expected
  return false
}

function readValue(cursor: Cursor, depth: number): boolean {
  if (depth > cursor.maxDepth) return fail(cursor, `at most ${cursor.maxDepth} levels of nesting`)
  switch (cursor.text[cursor.at]) {
    case '{':
      return readObject(cursor, depth)
    case '[':
      return readArray(cursor, depth)
    case '"':
      return readString(cursor)
    default:
      return (
        accept(
          cursor,
          /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y,
        ) || fail(cursor, 'a value')
      )
  }
}

function readObject(cursor: Cursor, depth: number): boolean {
  cursor.at++
  skipSpace(cursor)
  if (accept(cursor, /\}/y)) return true
  for (;;) {
    if (cursor.text[cursor.at] !== '"') return fail(cursor, 'a member name in double quotes')
    if (!readString(cursor)) return false
    skipSpace(cursor)
    if (!accept(cursor, /:/y)) return fail(cursor, '`:`')
    skipSpace(cursor)
    if (!readValue(cursor, depth + 1)) return false
    skipSpace(cursor)
    if (accept(cursor, /\}/y)) return true
    if (!accept(cursor, /,/y)) return fail(cursor, '`,` or `}`')
    skipSpace(cursor)
  }
}

function readArray(cursor: Cursor, depth: number): boolean {
  cursor.at++
  skipSpace(cursor)
  if (accept(cursor, /\]/y)) return true
  for (;;) {
    if (!readValue(cursor, depth + 1)) return false
    skipSpace(cursor)
    if (accept(cursor, /\]/y)) return true
    if (!accept(cursor, /,/y)) return fail(cursor, '`,` or `]`')
    skipSpace(cursor)
  }
}

function readString(cursor: Cursor): boolean {
  cursor.at++
  for (;;) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids just these.
    accept(cursor, /[^"\\\u0000-\u001f]*/y)
    if (accept(cursor, /"/y)) return true
    if (cursor.text[cursor.at] === '\\') {
      if (accept(cursor, /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y)) continue
      return fail(cursor, 'an escape of JSON such as \\n or \\u0041')
    }
    return fail(cursor, 'the closing `"` of a string')
  }
}

function skipSpace(cursor: Cursor): void {
  accept(cursor, /[ \t\r\n]*/y)
}

function accept(cursor: Cursor, pattern: RegExp): boolean {
  pattern.lastIndex = cursor.at
  if (!pattern.test(cursor.text)) return false
  cursor.at = pattern.lastIndex
  return true
}
