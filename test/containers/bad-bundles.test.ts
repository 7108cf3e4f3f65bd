/** What is no bundle, or no root filesystem. */
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkCases, fail } from './refusal.ts'
import { type Bundle, describeContainers, freshId, type Patch } from './rig.ts'

describeContainers('a bundle that is none', (runtime) => {
  const config = (change: (path: string) => void) => (bundle: Bundle) =>
    change(join(bundle.directory, 'config.json'))
  const written = (text: string) => config((path) => writeFileSync(path, text))

  it('no bundle', () => {
    const message = fail(runtime, ['create', '--bundle', '/no/such/bundle', freshId(runtime)])
    expect(message).toContain('/no/such/bundle')
    if (runtime.name === 'tsrunc') expect(message).toBe('bundle /no/such/bundle: no such directory')
  })

  checkCases(runtime, [
    {
      name: 'no config.json',
      damage: config((path) => rmSync(path)),
      words: /config\.json/,
      says: /^\S+config\.json: no such file$/,
    },
    {
      name: 'a config.json that is a directory',
      damage: config((path) => {
        rmSync(path)
        mkdirSync(path)
      }),
      says: /^\S+config\.json: not a regular file$/,
    },
    {
      name: 'a config.json that is huge',
      // Go stops reading where the value ends.
      onlyHere: true,
      damage: config((path) => truncateSync(path, 17 << 20)),
      says: /^\S+config\.json: larger than 16777216 bytes$/,
    },
    {
      name: 'an empty config.json',
      damage: written(''),
      says: /^config\.json:1:1: expected a value, found the end of the file$/,
    },
    {
      name: 'a config.json that is cut short',
      damage: written('{\n  "ociVersion": "1.0'),
      says: /^config\.json:2:21: expected the closing `"` of a string, found the end of the file$/,
    },
    {
      name: 'a comma too many',
      damage: written('{\n  "ociVersion": "1.0.2",\n}'),
      says: /^config\.json:3:1: expected a member name in double quotes, found `}`$/,
    },
    {
      name: 'no object',
      damage: written('[]'),
      says: /^config\.json:1:1: expected an object, found an array$/,
    },
    {
      name: 'null',
      damage: written('null'),
      says: /^config\.json:1:1: expected an object, found null$/,
      // runc 1.1.5 panics.
      onlyHere: true,
    },
    {
      name: 'wrong types: all are told of, with their places',
      damage: written(
        '{\n "ociVersion": 7,\n "hostname": [],\n "process": {"cwd": 3, "args": "x"},\n "root": {"path": "rootfs"}, "linux": {}\n}',
      ),
      says: /^config\.json:2:16: \/ociVersion: expected a string, found 7; config\.json:3:14: \/hostname: expected a string, found an array; config\.json:4:21: \/process\/cwd: expected a string, found 3; config\.json:4:32: \/process\/args: expected an array, found "x"$/,
      // runc stops at the first.
      onlyHere: true,
    },
  ])
})

describeContainers('a root filesystem that is none', (runtime) => {
  const root =
    (path: string, make: (path: string, bundle: Bundle) => void = () => {}): Patch =>
    (config, bundle) => {
      make(join(bundle.directory, path), bundle)
      config.root.path = path
    }
  const expected = '^config\\.json:\\d+:\\d+: /root/path: expected the path of a directory, found '
  checkCases(runtime, [
    {
      name: 'a missing one',
      patch: root('nowhere'),
      words: /nowhere/,
      says: new RegExp(`${expected}nothing at /\\S+/nowhere$`),
    },
    {
      name: 'a file',
      patch: root('plain', (path) => writeFileSync(path, '')),
      says: new RegExp(`${expected}a file at /\\S+/plain$`),
    },
    {
      name: 'a link',
      patch: root('link', (path, { rootfs }) => symlinkSync(rootfs, path)),
      words: /link/,
      says: new RegExp(`${expected}a symbolic link at /\\S+/link$`),
    },
  ])
})
