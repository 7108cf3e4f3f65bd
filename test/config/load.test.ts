import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { defaultSpec } from '../../src/config/default-spec.ts'
import {
  loadBundle,
  loadDocument,
  loadMounts,
  loadProcess,
  loadResources,
  loadSpec,
} from '../../src/config/load.ts'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import { describeError, SpecError, UsageError } from '../../src/errors.ts'

const MINIMAL = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs' },
  process: { cwd: '/', args: ['sh'] },
  linux: {},
}

function explain(config: unknown): string[] {
  try {
    loadSpec(typeof config === 'string' ? config : JSON.stringify(config, null, 1), 'f')
    return []
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    return error.message.split('; ')
  }
}

describe('loading a config', () => {
  it('reports every issue at once, in the order of the file', () => {
    const config = {
      ...MINIMAL,
      ociVersion: 1,
      process: {
        cwd: 'bin',
        args: ['sh', 7],
        rlimits: [{ type: 'RLIMIT_NOFILE', soft: 2, hard: 1 }],
        terminal: 'yes',
      },
      linux: { namespaces: [{ type: 'netwrok' }], resources: { pids: {} } },
    }
    expect(explain(config)).toEqual([
      'f:2:16: /ociVersion: expected a string, found 1',
      'f:7:10: /process/cwd: expected an absolute path, found "bin"',
      'f:10:4: /process/args/1: expected a string, found 7',
      'f:15:13: /process/rlimits/0/soft: expected at most the hard limit 1, found 2',
      'f:19:15: /process/terminal: expected true or false, found "yes"',
      'f:24:13: /linux/namespaces/0/type: expected one of mount, pid, network, uts, ipc, user, ' +
        'cgroup, time, found "netwrok" (did you mean network?)',
      'f:28:12: /linux/resources/pids/limit: expected a value (it is required), found nothing',
    ])
  })

  it('gives issues that are found later their place, but not those of flags', () => {
    const { refuse } = loadSpec(JSON.stringify(MINIMAL, null, 1), 'f')
    const error = refuse([
      { pointer: '--flag', expected: '', message: 'not supported yet: --flag' },
      { pointer: '/root/path', expected: 'a directory', found: 'nothing at /x' },
    ])
    expect(error.message.split('; ')).toEqual([
      'not supported yet: --flag',
      'f:4:11: /root/path: expected a directory, found nothing at /x',
    ])
  })

  it('counts the issues beyond a hundred', () => {
    const lines = explain({ ...MINIMAL, process: { cwd: '/', args: Array(150).fill(1) } })
    expect(lines).toHaveLength(101)
    expect(lines.at(-1)).toBe('f: expected nothing else wrong, found 50 more issues')
  })

  it('sees a misspelt name in what is missing', () => {
    expect(explain({ ...MINIMAL, process: { cdw: '/', args: ['sh'] } })).toEqual([
      'f:6:13: /process/cwd: expected a value (it is required), found "cdw" (did you mean "cwd"?)',
    ])
  })

  it('ignores unknown members and null ones, and tells which', () => {
    const text = JSON.stringify({ ...MINIMAL, hostnam: 'a', mounts: null, 'x-y': { z: [] } })
    const { spec, ignored } = loadSpec(text, 'f')
    expect(spec.mounts).toBeUndefined()
    expect(ignored).toEqual([
      '/mounts: null counts as absent',
      '/hostnam: unknown (did you mean hostname?)',
      '/x-y: unknown',
    ])
  })

  it('warns of what has no effect', () => {
    const config = {
      ...MINIMAL,
      process: { ...MINIMAL.process, capabilities: { bounding: ['CAP_KIL', 'CAP_KILL'] } },
      mounts: [{ destination: 'data', type: 'tmpfs' }],
      linux: { namespaces: [{ type: 'mount' }] },
      zos: {},
    }
    expect(loadSpec(JSON.stringify(config), 'f').warnings).toEqual([
      '/zos: the section has no effect on Linux',
      '/mounts/0/destination: "data" is taken from the root',
      '/process/capabilities/bounding/0: no such capability: "CAP_KIL", skipped (did you mean CAP_KILL?)',
    ])
  })

  it.each(['[]', 'null', '1', '""'])('refuses the document %s', (text) => {
    expect(explain(text)).toEqual([
      `f:1:1: expected an object, found ${text === '[]' ? 'an array' : text}`,
    ])
  })

  it('is not misled by names of Object.prototype', () => {
    const text = '{"__proto__": {"cwd": "/"}, "constructor": 1, "toString": 2}'
    expect(explain(text).map((line) => line.split(' ')[1])).toContain('/ociVersion:')
    const { ignored } = loadSpec(
      JSON.stringify(MINIMAL).replace('{', '{"constructor": 1, "__proto__": {"linux": 1},'),
      'f',
    )
    expect(ignored).toEqual(['/constructor: unknown', '/__proto__: unknown'])
  })
})

describe('64-bit integers', () => {
  function loadLimits(soft: string, hard: string) {
    const text = JSON.stringify(MINIMAL).replace(
      '"args"',
      `"rlimits":[{"type":"RLIMIT_CORE","soft":${soft},"hard":${hard}}],"args"`,
    )
    return loadSpec(text, 'f').spec.process?.rlimits?.[0]
  }

  it('keep every digit', () => {
    const limits = loadLimits('9007199254740993', '18446744073709551615')
    expect(limits).toMatchObject({ soft: 9007199254740993n, hard: 18446744073709551615n })
    expect(loadLimits('1e3', '2.0e3')).toMatchObject({ soft: 1000n, hard: 2000n })
    expect(loadLimits('1e19', '1e19')).toMatchObject({ soft: 10n ** 19n })
  })

  it('are refused beyond their range, to the last digit', () => {
    expect(() => loadLimits('0', '18446744073709551616')).toThrow(
      '/process/rlimits/0/hard: expected at most 18446744073709551615, found 18446744073709551616',
    )
    expect(() => loadLimits('-1', '0')).toThrow('expected at least 0, found -1')
    expect(() => loadLimits('1.5', '2')).toThrow('expected an integer, found 1.5')
    const memory = { ...MINIMAL, linux: { resources: { memory: { limit: 'N' } } } }
    const text = (limit: string) => JSON.stringify(memory).replace('"N"', limit)
    expect(loadSpec(text('9223372036854775807'), 'f').spec.linux?.resources?.memory?.limit).toBe(
      2n ** 63n - 1n,
    )
    expect(() => loadSpec(text('9223372036854775808'), 'f')).toThrow(
      '9223372036854775807, found 92',
    )
    expect(() => loadSpec(text('1e400'), 'f')).toThrow(SpecError)
  })

  it('are bigint however small, and other integers are not', () => {
    const linux = {
      resources: { pids: { limit: 5 }, devices: [{ allow: true, major: 1 }] },
      timeOffsets: { boottime: { secs: -3, nanosecs: 4 } },
      namespaces: [{ type: 'time' }],
    }
    const { spec } = loadSpec(JSON.stringify({ ...MINIMAL, linux }), 'f')
    expect(spec.linux).toMatchObject({
      resources: { pids: { limit: 5n }, devices: [{ major: 1 }] },
      timeOffsets: { boottime: { secs: -3n, nanosecs: 4 } },
    })
  })
})

describe('the default config', () => {
  it.each([
    { rootless: false, unified: false },
    { rootless: false, unified: true },
    { rootless: true, unified: true, uid: 1000, gid: 1000 },
  ])('loads as it is: %j', (options) => {
    const spec = defaultSpec(options)
    const loaded = loadSpec(stringifyJson(spec, '\t'), 'f')
    expect(loaded).toMatchObject({ spec, ignored: [], warnings: [] })
    const types = spec.linux?.namespaces?.map(({ type }) => type)
    expect(types?.includes('network')).toBe(!options.rootless)
    expect(types?.includes('cgroup')).toBe(options.unified)
  })
})

describe('loading a bundle', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-config-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const config = join(directory, 'config.json')

  it('names what is missing', () => {
    expect(() => loadBundle(join(directory, 'none'))).toThrow(UsageError)
    expect(() => loadBundle(join(directory, 'none'))).toThrow('no such directory')
    expect(() => loadBundle(directory)).toThrow(`${config}: no such file`)
    expect(() => loadBundle('/dev/null')).toThrow('not a directory')
  })

  it('refuses what is no file, is too large or is not UTF-8', () => {
    mkdirSync(config)
    expect(() => loadBundle(directory)).toThrow('not a regular file')
    rmSync(config, { recursive: true })
    execFileSync('mkfifo', [config])
    expect(() => loadBundle(directory)).toThrow('not a regular file')
    rmSync(config)
    writeFileSync(config, '')
    truncateSync(config, 16 * 1024 * 1024 + 1)
    expect(() => loadBundle(directory)).toThrow('larger than')
    writeFileSync(config, Buffer.from([0x7b, 0xff, 0x7d]))
    expect(() => loadBundle(directory)).toThrow('not UTF-8')
  })

  it('gives the spec and the absolute path', () => {
    writeFileSync(config, JSON.stringify(MINIMAL))
    const { spec, bundle } = loadBundle(directory)
    expect(bundle).toBe(directory)
    expect(spec.root?.path).toBe('rootfs')
  })
})

describe('a file with one member of config.json', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-config-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const tmpfs = { destination: '/a\0b', type: 'tmpfs', source: 'tmp\0fs' }

  it.each([
    [loadMounts, { mounts: [tmpfs] }, ['/mounts/0/destination', '/mounts/0/source']],
    [loadProcess, { cwd: '/\0', args: ['a', 'b\0'], env: ['A=\0'] }, ['/args/1', '/cwd', '/env/0']],
    [loadResources, { unified: { 'memory.high': '1\0' } }, ['/unified/memory.high']],
  ] as const)('holds no NUL: %o', (load, content, pointers) => {
    const file = join(directory, 'file')
    writeFileSync(file, JSON.stringify(content))
    let message = ''
    try {
      load(file)
    } catch (error) {
      message = describeError(error)
    }
    for (const pointer of pointers)
      expect(message).toContain(`${pointer}: expected text without NUL bytes`)
    expect(message.match(/NUL bytes/g)).toHaveLength(pointers.length)
  })
})

describe('state and features', () => {
  it('are validated by schemas of their own', () => {
    const state = { ociVersion: '1.3.0', id: 'a', status: 'runing', bundle: '/b' }
    expect(() => loadDocument('state', JSON.stringify(state), 's')).toThrow('did you mean running?')
    expect(() => loadDocument('features', '{"ociVersionMin": "1.0.0"}', 's')).toThrow(
      '/ociVersionMax: expected a value',
    )
  })
})
