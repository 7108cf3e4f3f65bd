/** Strict numbers and signals: digits to the end and in range, never a guess (CVE-2026-30892). */
import { constants } from 'node:os'
import { findNearest } from '../config/nearest.ts'
import { UsageError } from '../errors.ts'

/** As many fds as Linux lets a process have. */
const MAX_COUNT = 1 << 20
const REALTIME_MIN = 34
const REALTIME_MAX = 64

export function parseCount(what: string, text: string): number {
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN
  if (value <= MAX_COUNT) return value
  throw new UsageError(
    `${what} must be a number from 0 to ${MAX_COUNT}, found ${JSON.stringify(text)}`,
  )
}

/** To setresuid(2) and its like, 2^32-1 means "leave it as it is". */
const MAX_ID = 0xffff_fffe

/** A user or group id. */
export function parseId(what: string, text: string): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value <= MAX_ID) return value
  throw new UsageError(
    `${what} must be a number from 0 to ${MAX_ID}, found ${JSON.stringify(text)}`,
  )
}

/** A whole number as Go's flags take it, also below 0. */
export function parseInteger(what: string, text: string): bigint {
  if (/^-?[0-9]{1,20}$/.test(text)) return BigInt(text)
  throw new UsageError(`${what} must be a number, found ${JSON.stringify(text)}`)
}

const UNITS = ['', 'k', 'm', 'g', 't', 'p']

/** Bytes: `4096`, `50M`, `1.5GiB`, all in powers of 1024; -1 is no limit. */
export function parseSize(what: string, text: string): bigint {
  if (text === '-1') return -1n
  const found = /^([0-9]{1,18})(\.[0-9]{1,9})? ?([kmgtp]?)(?:i?b)?$/i.exec(text)
  if (found === null) {
    throw new UsageError(
      `${what} must be a size such as 50M, or -1 for no limit, found ${JSON.stringify(text)}`,
    )
  }
  const [, whole = '0', fraction = '', unit = ''] = found
  const factor = 1024n ** BigInt(UNITS.indexOf(unit.toLowerCase()))
  return BigInt(whole) * factor + BigInt(Math.floor(Number(`0${fraction}`) * Number(factor)))
}

/** `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`. */
export function parseSignal(text: string): number {
  if (/^[0-9]+$/.test(text)) {
    const number = Number(text)
    if (number <= REALTIME_MAX) return number
  }
  const name = text.toUpperCase().replace(/^SIG/, '')
  const realtime = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name)
  const known = realtime === null ? findSignal(name) : findRealtime(realtime)
  if (known !== undefined) return known
  const nearest = findNearest(
    name,
    Object.keys(constants.signals).map((known) => known.slice(3)),
  )
  const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
  throw new UsageError(`unknown signal ${JSON.stringify(text)}${hint}`)
}

function findSignal(name: string): number | undefined {
  return new Map<string, number>(Object.entries(constants.signals)).get(`SIG${name}`)
}

function findRealtime([, base, sign, offset = '0']: RegExpExecArray): number | undefined {
  const from = base === 'MIN' ? REALTIME_MIN : REALTIME_MAX
  const number = from + (sign === '-' ? -Number(offset) : Number(offset))
  return number >= REALTIME_MIN && number <= REALTIME_MAX ? number : undefined
}
