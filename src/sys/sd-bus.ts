/** D-Bus by libsystemd: a connection, method calls, signals. Nothing of systemd itself. */

import { errnoName } from './errno.ts'
import { bindFunction, readText } from './ffi.ts'
import { appendValue, type TypedValue } from './sd-bus-message.ts'

/** An error that the other side sent: `org.freedesktop.systemd1.UnitExists` and its words. */
export class BusError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export interface Call {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly args: readonly TypedValue[]
}

export interface Signal {
  readonly member: string
  /** Reads the next argument of the signal, of a basic type. */
  readonly read: (type: BasicType) => string | number
}

export type BasicType = 'u' | 's' | 'o'

export interface Bus extends Disposable {
  /**
   * Calls a method; the answer's first argument is given, where `reply` names its type, `v` being a
   * string in a variant. Throws BusError for an answer that is an error.
   */
  readonly call: (call: Call, reply?: BasicType | 'vs') => string
  /** The next signal that arrives; undefined when none does within the time. */
  readonly nextSignal: (timeoutMs: number) => Signal | undefined
}

/** How long a method may take to answer. */
const CALL_TIMEOUT_USEC = 30_000_000n
const ERROR_SIZE = 24

/**
 * Connects to a bus, or to a peer without a bus between (`isBus` false).
 * `address` is as in DBUS_SESSION_BUS_ADDRESS: `unix:path=/run/dbus/system_bus_socket`.
 */
export function openBus(address: string, isBus: boolean): Bus {
  const bus = create(address, isBus)
  return {
    call: (call, reply) => callMethod(bus, call, reply),
    nextSignal: (timeoutMs) => nextSignal(bus, timeoutMs),
    [Symbol.dispose]: () => void sd('uint64 sd_bus_flush_close_unref(uint64 bus)')(bus),
  }
}

function create(address: string, isBus: boolean): bigint {
  const [bus] = give((slot) => check('sd_bus_new', sd('int sd_bus_new(void *bus)')(slot)))
  try {
    const setAddress = sd('int sd_bus_set_address(uint64 bus, const char *address)')
    check('sd_bus_set_address', setAddress(bus, address))
    const setClient = sd('int sd_bus_set_bus_client(uint64 bus, int isClient)')
    check('sd_bus_set_bus_client', setClient(bus, isBus ? 1 : 0))
    check(`sd_bus_start(${JSON.stringify(address)})`, sd('int sd_bus_start(uint64 bus)')(bus))
    // Connecting goes on in the background: an address where nobody listens fails only here.
    check(`sd_bus_flush(${JSON.stringify(address)})`, sd('int sd_bus_flush(uint64 bus)')(bus))
    return bus
  } catch (error) {
    sd('uint64 sd_bus_close_unref(uint64 bus)')(bus)
    throw error
  }
}

function callMethod(bus: bigint, call: Call, reply?: BasicType | 'vs'): string {
  const { destination, path, member } = call
  const make = sd(
    'int sd_bus_message_new_method_call(uint64 bus, void *message, const char *destination, const char *path, const char *interface, const char *member)',
  )
  const [message] = give((slot) =>
    check(member, make(bus, slot, destination, path, call.interface, member)),
  )
  try {
    for (const { signature, value } of call.args) appendValue(message, signature, value)
    const answer = send(bus, message, member)
    try {
      return reply === undefined ? '' : String(readFirst(answer, reply))
    } finally {
      release(answer)
    }
  } finally {
    release(message)
  }
}

function send(bus: bigint, message: bigint, member: string): bigint {
  const call = sd(
    'int sd_bus_call(uint64 bus, uint64 message, uint64 timeout, void *error, void *reply)',
  )
  // struct sd_bus_error {const char *name; const char *message; int need_free}
  const error = Buffer.alloc(ERROR_SIZE)
  const [reply, result] = give((slot) => Number(call(bus, message, CALL_TIMEOUT_USEC, error, slot)))
  if (result >= 0) return reply
  const name = textAt(error.readBigUInt64LE(0))
  const words = textAt(error.readBigUInt64LE(8))
  sd('void sd_bus_error_free(void *error)')(error)
  throw new BusError(name, words || `${member}: ${errnoName(-result)}`)
}

function readFirst(message: bigint, type: BasicType | 'vs'): string | number {
  if (type !== 'vs') return readBasic(message, type)
  const enter = sd(
    'int sd_bus_message_enter_container(uint64 message, char type, const char *contents)',
  )
  check('sd_bus_message_enter_container', enter(message, 'v'.charCodeAt(0), 's'))
  return readBasic(message, 's')
}

function readBasic(message: bigint, type: BasicType): string | number {
  const read = sd('int sd_bus_message_read_basic(uint64 message, char type, void *value)')
  const value = Buffer.alloc(8)
  check('sd_bus_message_read_basic', read(message, type.charCodeAt(0), value))
  return type === 'u' ? value.readUInt32LE() : textAt(value.readBigUInt64LE())
}

function nextSignal(bus: bigint, timeoutMs: number): Signal | undefined {
  const proceed = sd('int sd_bus_process(uint64 bus, void *message)')
  const wait = sd('int sd_bus_wait(uint64 bus, uint64 timeout)')
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const [message, result] = give((slot) => Number(proceed(bus, slot)))
    check('sd_bus_process', result)
    if (message !== 0n) {
      const signal = readSignal(message)
      if (signal !== undefined) return signal
    } else if (result === 0) {
      const left = deadline - Date.now()
      if (left <= 0) return undefined
      const waited = Number(wait(bus, BigInt(left) * 1000n))
      if (errnoName(-waited) !== 'EINTR') check('sd_bus_wait', waited)
    }
  }
}

/** Its arguments are read at once: the message is released with the next look. */
function readSignal(message: bigint): Signal | undefined {
  const isSignal = sd(
    'int sd_bus_message_is_signal(uint64 message, const char *interface, const char *member)',
  )
  if (Number(isSignal(message, null, null)) <= 0) {
    release(message)
    return undefined
  }
  const member = sd('const char *sd_bus_message_get_member(uint64 message)')
  return { member: String(member(message)), read: (type) => readBasic(message, type) }
}

function release(message: bigint): void {
  sd('uint64 sd_bus_message_unref(uint64 message)')(message)
}

/** Calls with room for a pointer; the pointer, and what the call gave. */
function give(call: (slot: Buffer) => number): readonly [bigint, number] {
  const slot = Buffer.alloc(8)
  const result = call(slot)
  return [slot.readBigUInt64LE(), result]
}

function textAt(address: bigint): string {
  return address === 0n ? '' : readText(address)
}

function check(call: string, result: number | bigint): number {
  if (Number(result) >= 0) return Number(result)
  throw new Error(`${call}: ${errnoName(-Number(result))}`)
}

function sd(prototype: string) {
  return bindFunction('libsystemd.so.0', prototype)
}
