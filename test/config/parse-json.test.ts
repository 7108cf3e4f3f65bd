import { describe, expect, it } from 'vitest'
import { findSyntaxError } from '../../src/config/json-syntax.ts'
import { locate, MAX_DEPTH, parseJson, readSource } from '../../src/config/parse-json.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import { SpecError } from '../../src/errors.ts'

function explain(text: string): string {
  try {
    parseJson(text, 'f')
    return 'fine'
  } catch (error) {
    return error instanceof SpecError ? error.message : `not a SpecError: ${String(error)}`
  }
}

describe('a syntax error', () => {
  it.each([
    ['', 'f:1:1: expected a value, found the end of the file'],
    ['{"a": 1,}', 'f:1:9: expected a member name in double quotes, found `}`'],
    ['{"a": 1\n "b": 2}', 'f:2:2: expected `,` or `}`, found `"`'],
    ['[1, 2', 'f:1:6: expected `,` or `]`, found the end of the file'],
    ['{"a" 1}', 'f:1:6: expected `:`, found `1`'],
    ["{'a': 1}", "f:1:2: expected a member name in double quotes, found `'`"],
    ['{"a": 012}', 'f:1:7: expected a value, found `012`'],
    ['{"a": tru}', 'f:1:7: expected a value, found `tru`'],
    ['{"a": NaN}', 'f:1:7: expected a value, found `NaN`'],
    ['{"a": "b\nc"}', 'f:1:9: expected the closing `"` of a string, found `\\n`'],
    ['"\\x"', 'f:1:2: expected an escape of JSON such as \\n or \\u0041, found `\\`'],
    ['{} {}', 'f:1:4: expected the end of the file, found `{`'],
    ['{"a": 1} // b', 'f:1:10: expected the end of the file, found `/`'],
  ])('in %j names its place', (text, message) => {
    expect(explain(text)).toBe(message)
  })

  it('is found wherever JSON.parse finds one, and nowhere else', () => {
    const sample = '{"a":[1,-2.5e+3,{"b\\u0041":"c","d":null}],"e":true, "f":[]}'
    const marks = ['', ',', '"', '}', ']', '{', ':', '0', '\\', '-', '.', 'e', ' ', '\t', '\u0001']
    for (let at = 0; at <= sample.length; at++) {
      for (const mark of marks) {
        for (const text of [
          sample.slice(0, at) + mark + sample.slice(at),
          sample.slice(0, at) + mark + sample.slice(at + 1),
        ]) {
          const { expected, found } = findSyntaxError(text, MAX_DEPTH)
          const isFine = expected === 'the end of the file' && found === 'the end of the file'
          expect([text, isFine]).toEqual([text, parses(text)])
        }
      }
    }
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('a document', () => {
  const text =
    '{\n  "a": [10, {"b/c": "x,]}"},\n    18446744073709551615],\n  "a~": {}, "d": 1, "d": 22\n}'
  const document = parseJson(text, 'f')

  it.each([
    ['', 1, 1, undefined],
    ['/a/0', 2, 9, '10'],
    ['/a/1/b~1c', 2, 21, '"x,]}"'],
    ['/a/2', 3, 5, '18446744073709551615'],
    ['/a~0', 4, 9, '{}'],
  ])('knows where %j begins', (pointer, line, column, source) => {
    expect(locate(document, pointer)).toEqual({ line, column })
    if (source !== undefined) expect(readSource(document, pointer)).toBe(source)
  })

  it('takes the last of equal members, as Go does', () => {
    expect(document.value).toHaveProperty('d', 22)
    expect(readSource(document, '/d')).toBe('22')
  })

  it('points at the parent of what is missing', () => {
    expect(locate(document, '/a/1/z')).toEqual({ line: 2, column: 13 })
    expect(readSource(document, '/a/1/z')).toBeUndefined()
  })

  it('may begin with a byte order mark', () => {
    expect(parseJson('\uFEFF{"a": 1}', 'f').value).toEqual({ a: 1 })
  })

  it('drops members that are null and says so', () => {
    const { value, nulls } = parseJson('{"a": null, "b": [null, {"c/d": null}]}', 'f')
    expect(value).toEqual({ b: [null, {}] })
    expect(nulls).toEqual(['/a', '/b/1/c~1d'])
  })

  it('is not nested too deeply', () => {
    const nest = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
    expect(explain(nest(MAX_DEPTH))).toBe('fine')
    expect(explain(nest(MAX_DEPTH + 1))).toContain(`at most ${MAX_DEPTH} levels of nesting`)
    expect(explain(nest(1_000_000))).toContain(`at most ${MAX_DEPTH} levels of nesting`)
    expect(explain('['.repeat(1_000_000))).toContain(`at most ${MAX_DEPTH} levels of nesting`)
  })
})

describe('stringifyJson', () => {
  it('writes every digit of a bigint', () => {
    expect(stringifyJson({ a: 2n ** 64n - 1n, b: [-1n] })).toBe(
      '{"a":18446744073709551615,"b":[-1]}',
    )
  })
})

it('many values are found in the time that one pass over the text takes', () => {
  const digits = Array.from({ length: 20_000 }, (_, index) => String(2n ** 63n + BigInt(index)))
  const document = parseJson(`{"a": [${digits.join(', ')}]}`, 'f')
  expect(digits.map((_, index) => readSource(document, `/a/${index}`))).toEqual(digits)
})
