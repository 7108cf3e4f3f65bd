import { expect, test } from 'vitest'
import { parseGvariant } from '../../../../src/fields/linux/systemd/gvariant.ts'

test.each([
  ['true', 'b', true],
  [' false ', 'b', false],
  ['5', 'i', 5n],
  ['-0x1f', 'i', -31n],
  ['1.5', 'd', 1.5],
  ['1e3', 'd', 1000],
  ['uint64 18446744073709551615', 't', 18446744073709551615n],
  ['byte 0xff', 'y', 255n],
  ['int16 -3', 'n', -3n],
  ["'a \\'b\\' \\u00e9\\n'", 's', "a 'b' é\n"],
  ['"a \'b\'"', 's', "a 'b'"],
  ["objectpath '/a'", 'o', '/a'],
  ["['a', 'b',]", 'as', ['a', 'b']],
  ['[uint32 1, 2]', 'au', [1n, 2n]],
  ['@as []', 'as', []],
  ['@t 7', 't', 7n],
  ["('a', uint32 1)", '(su)', ['a', 1n]],
  ["('a',)", '(s)', ['a']],
  ["[('a', true)]", 'a(sb)', [['a', true]]],
  [
    "{'a': 1, 'b': 2}",
    'a{si}',
    [
      ['a', 1n],
      ['b', 2n],
    ],
  ],
  ["<'a'>", 'v', { signature: 's', value: 'a' }],
])('%s', (text, signature, value) => {
  expect(parseGvariant(text)).toEqual({ signature, value })
})

test.each([
  ['', 'a value'],
  ['yes', 'a value'],
  ['5 6', 'the end'],
  ['2147483648', 'a number of type i'],
  ['uint32 -1', 'a number of type u'],
  ['byte 256', 'a number of type y'],
  ["uint32 'a'", 'a value of type u'],
  ['string 5', 'a value of type s'],
  ['1.5.5', 'a number'],
  ["'open", 'a value'],
  ['[]', 'a type before an empty array'],
  ["['a', 1]", 'a value of type s'],
  ["['a' 'b']", 'a comma or ]'],
  ["('a'", 'a comma or )'],
  ['<5', '>'],
  ['@ 5', 'a type'],
  ['['.repeat(100), 'less nesting'],
])('%s is refused', (text, why) => {
  expect(() => parseGvariant(text)).toThrow(`expected ${why}`)
})
