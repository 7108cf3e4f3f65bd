/**
 * Whole milliseconds of CLOCK_MONOTONIC: unlike Date.now(), it does not jump when the host's clock
 * is set, so that a wait is neither cut short nor goes on for hours. The global `performance` takes
 * milliseconds to load.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
