/** On plain directories: what of resctrl is not the kernel's, the rules for groups. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeResctrlGroup, removeResctrlGroups } from '../../src/engine/resctrl.ts'
import type { MakeResctrlGroup } from '../../src/plan/steps.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsrunc-test-resctrl-'))
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

const group = (sharing: MakeResctrlGroup['sharing'], ...schemata: string[]): MakeResctrlGroup => ({
  kind: 'make-resctrl-group',
  phase: 'cgroup',
  origin: '/linux/intelRdt',
  path: join(root, 'gold'),
  sharing,
  schemata,
})

test('one that is given must be there', () => {
  expect(() => makeResctrlGroup(group('given'))).toThrow('ENOENT')
  mkdirSync(join(root, 'gold'))
  makeResctrlGroup(group('given'))
})

test('a shared one that is there must say the same', () => {
  mkdirSync(join(root, 'gold'))
  const file = join(root, 'gold', 'schemata')
  writeFileSync(file, '    L3:0=00f;1=0ff\n    MB:0=100;1=100\n')
  makeResctrlGroup(group('shared', 'L3:0=f;1=FF'))
  makeResctrlGroup(group('shared', 'MB: 1 = 100'))
  expect(() => makeResctrlGroup(group('shared', 'L3:0=3'))).toThrow('has f for L3:0, the config 3')
  expect(() => makeResctrlGroup(group('shared', 'L2:0=3'))).toThrow('has nothing for L2:0')
  expect(readFileSync(file, 'utf8')).toContain('L3:0=00f')
})

test('what is gone needs no removal', () => {
  mkdirSync(join(root, 'gold'))
  removeResctrlGroups([join(root, 'gold', 'mon'), join(root, 'gold')])
  expect(() => makeResctrlGroup(group('given'))).toThrow('ENOENT')
})
