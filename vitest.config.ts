import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const report = process.env.TSRUNC_TEST_REPORT

const CONTAINERS = 'test/containers/**/*.test.ts'
/** They count children and fds, or keep something until they end: a process for each file. */
const ALONE = [
  'test/engine/**/*.test.ts',
  'test/resident/**/*.test.ts',
  'test/lower/kernel-*.test.ts',
  // Has another executor built, and runs files that may already have been imported.
  'test/native/executor-sanitized.test.ts',
]
/** They begin first: for a long one that begins last another core waits idle. */
const LONGEST = [
  'engine/failure-injection',
  'native/executor-sanitized',
  'containers/lifecycle',
  'containers/mounts',
  'containers/update',
  'containers/exec',
  'engine/races',
  'config/differential',
]

// A class, because vitest makes the instance.
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rankFile(a) - rankFile(b))
  }
}

function rankFile({ moduleId }: TestSpecification): number {
  const place = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
  return place < 0 ? LONGEST.length : place
}

export default defineConfig({
  test: {
    // Most tests wait for the kernel: one more than cores, of which vitest would leave one to itself.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      {
        test: {
          name: 'units',
          include: ['test/**/*.test.ts'],
          exclude: [CONTAINERS, ...ALONE, 'test/guest/**'],
          isolate: false,
          testTimeout: 30_000,
        },
      },
      { test: { name: 'alone', include: ALONE, testTimeout: 30_000 } },
      {
        test: {
          name: 'containers',
          include: [CONTAINERS],
          isolate: false,
          setupFiles: 'test/containers/each-file.ts',
          globalSetup: 'test/containers/setup.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
