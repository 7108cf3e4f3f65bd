import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

const report = process.env.TSRUNC_TEST_REPORT

export default defineConfig({
  test: {
    // vitest leaves one core to itself; of two that is half, and most tests wait for the kernel.
    maxWorkers: availableParallelism(),
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      {
        test: {
          name: 'units',
          include: ['test/**/*.test.ts'],
          exclude: ['test/containers/**', 'test/guest/**'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'containers',
          include: ['test/containers/**/*.test.ts'],
          globalSetup: 'test/containers/setup.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
