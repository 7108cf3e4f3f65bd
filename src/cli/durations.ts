/** Durations as Go prints and parses them: `5s`, `1m30s`, `1.5h`, `500ms`. */
import { UsageError } from '../errors.ts'

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const PART = /(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g
const WHOLE = /^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/

/** In milliseconds; more than nothing. Throws UsageError that names the flag. */
export function parseDuration(flag: string, text: string): number {
  if (!WHOLE.test(text)) {
    throw new UsageError(
      `${flag} must be a duration such as 5s or 500ms, found ${JSON.stringify(text)}`,
    )
  }
  const parts = [...text.matchAll(PART)]
  const sum = parts.reduce(
    (all, [, n, unit = '']) => all + Number(n) * (MILLISECONDS[unit] ?? 0),
    0,
  )
  if (sum > 0) return sum
  throw new UsageError(`${flag}: duration interval must be greater than 0`)
}
