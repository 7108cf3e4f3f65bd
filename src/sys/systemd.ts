/** The service manager of the system, or of a user, by its bus. */
import { type Bus, BusError, openBus } from './sd-bus.ts'
import type { TypedValue } from './sd-bus-message.ts'

const SYSTEM_BUS = 'unix:path=/run/dbus/system_bus_socket'
/** Root's own way to systemd where no bus runs: minimal installations, early boot. */
const PRIVATE = 'unix:path=/run/systemd/private'
const DESTINATION = 'org.freedesktop.systemd1'
const PATH = '/org/freedesktop/systemd1'
const MANAGER = 'org.freedesktop.systemd1.Manager'
/** As long as runc waits. */
const JOB_TIMEOUT_MS = 30_000

export interface Systemd extends Disposable {
  readonly bus: Bus
  readonly isBus: boolean
}

export interface ManagerFacts {
  /** The cgroup that all of its units lie in; '' for the root. */
  readonly controlGroup: string
  /** 257 of `257.1-1`. */
  readonly version: number
}

/** Connects to the system's manager, or to the user's at this bus address. */
export function openSystemd(userBus?: string): Systemd {
  const { bus, isBus } = userBus === undefined ? openSystemBus() : openUserBus(userBus)
  return { bus, isBus, [Symbol.dispose]: () => bus[Symbol.dispose]() }
}

function openUserBus(address: string) {
  return { bus: openBus(address, true), isBus: true }
}

function openSystemBus() {
  try {
    return { bus: openBus(SYSTEM_BUS, true), isBus: true }
  } catch (error) {
    try {
      return { bus: openBus(PRIVATE, false), isBus: false }
    } catch {
      throw error
    }
  }
}

export function readManager({ bus }: Systemd): ManagerFacts {
  const read = (property: string) =>
    bus.call(
      {
        destination: DESTINATION,
        path: PATH,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
        args: [text(MANAGER), text(property)],
      },
      'vs',
    )
  const [digits = '0'] = /\d+/.exec(read('Version')) ?? []
  return { controlGroup: read('ControlGroup'), version: Number(digits) }
}

/**
 * Has a job done and waits for its end. Throws BusError where it is refused, Error where it ends
 * otherwise than `done`.
 */
export function runJob(systemd: Systemd, member: string, args: readonly TypedValue[]): void {
  const { bus } = systemd
  subscribe(systemd)
  const job = callManager(bus, member, args, 'o')
  const deadline = Date.now() + JOB_TIMEOUT_MS
  for (;;) {
    const signal = bus.nextSignal(Math.max(0, deadline - Date.now()))
    if (signal === undefined) break
    if (signal.member !== 'JobRemoved') continue
    signal.read('u')
    if (signal.read('o') !== job) continue
    signal.read('s')
    const result = signal.read('s')
    if (result === 'done') return
    throw new Error(`systemd's job ended with ${JSON.stringify(result)}`)
  }
  throw new Error(`systemd's job has not ended after ${JOB_TIMEOUT_MS / 1000} s`)
}

/** The manager tells of jobs only while somebody asked for it; the bus sends only what matches. */
function subscribe({ bus, isBus }: Systemd): void {
  if (isBus) {
    const rule = `type='signal',sender='${DESTINATION}',interface='${MANAGER}',member='JobRemoved'`
    bus.call({
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
      member: 'AddMatch',
      args: [text(rule)],
    })
  }
  try {
    callManager(bus, 'Subscribe', [])
  } catch (error) {
    if (!isBusError(error, 'AlreadySubscribed')) throw error
  }
}

/** One method of the manager. */
export function callManager(
  bus: Bus,
  member: string,
  args: readonly TypedValue[],
  reply?: 'o',
): string {
  return bus.call({ destination: DESTINATION, path: PATH, interface: MANAGER, member, args }, reply)
}

/** Whether it is that error of systemd's: `NoSuchUnit`. */
export function isBusError(error: unknown, name: string): error is BusError {
  return error instanceof BusError && error.code === `${DESTINATION}.${name}`
}

export function text(value: string): TypedValue {
  return { signature: 's', value }
}
