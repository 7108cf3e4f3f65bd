import { expect, it } from 'vitest'
import { describeContainers, probe, runContainer } from './rig.ts'

const INDEX = { core: 4, nproc: 6, nofile: 7, fsize: 1 } as const

interface Report {
  readonly limits: readonly (readonly [string, string])[]
}

describeContainers('process.rlimits', (runtime) => {
  it('limits are what the config says', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 100n, hard: 200n },
        { type: 'RLIMIT_CORE', soft: 0n, hard: 4096n },
      ]
    })
    expect((report as Report).limits[INDEX.nofile]).toEqual(['100', '200'])
    expect((report as Report).limits[INDEX.core]).toEqual(['0', '4096'])
  })

  it('limits that the config does not name are those of the caller', () => {
    const [report] = probe(runtime, [['report']])
    const own = probe(runtime, [['report']])
    expect((report as Report).limits).toEqual((own[0] as Report).limits)
  })

  it('RLIM_INFINITY is exact', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      const infinity = 18446744073709551615n
      config.process.rlimits = [{ type: 'RLIMIT_FSIZE', soft: infinity, hard: infinity }]
    })
    const infinity = '18446744073709551615'
    expect((report as Report).limits[INDEX.fsize]).toEqual([infinity, infinity])
  })

  // runc is a Go program that needs descriptors and threads of its own before execve.
  it.skipIf(runtime.name === 'runc')('NOFILE 3, NPROC 1 and FSIZE 0 start', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.process.rlimits = [
        { type: 'RLIMIT_NOFILE', soft: 3n, hard: 3n },
        { type: 'RLIMIT_NPROC', soft: 1n, hard: 1n },
      ]
    })
    expect((report as Report).limits[INDEX.nofile]).toEqual(['3', '3'])
    expect((report as Report).limits[INDEX.nproc]).toEqual(['1', '1'])
    const result = runContainer(runtime, [['exit', '7']], (config) => {
      config.process.rlimits = [{ type: 'RLIMIT_FSIZE', soft: 0n, hard: 0n }]
    })
    // Its stdout is a file, which it must not extend: SIGXFSZ, or the status.
    expect([7, 128 + 25]).toContain(result.status)
  })

  it('soft above hard is refused', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 200n, hard: 100n }]
    })
    expect(result.status).not.toBe(0)
  })

  it.skipIf(runtime.name === 'runc')(
    'a limit that is named twice is refused (runc 1.1 takes the last)',
    () => {
      const result = runContainer(runtime, [['report']], (config) => {
        config.process.rlimits = [
          { type: 'RLIMIT_NOFILE', soft: 100n, hard: 100n },
          { type: 'RLIMIT_NOFILE', soft: 200n, hard: 200n },
        ]
      })
      expect(result.status).not.toBe(0)
      expect(result.stderr).toMatch(/duplicate|twice|once/i)
    },
  )
})
