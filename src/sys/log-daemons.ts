/** Records for the daemons of a host: one datagram each, sent without waiting for anybody. */
import { connectUnix, sendDatagram } from './socket.ts'

/** Takes one record; the priority is that of syslog(3): 3 error, 4 warning, 7 debug. */
export type Daemon = (priority: number, message: string) => void

const JOURNAL_SOCKET = '/run/systemd/journal/socket'
const SYSLOG_SOCKET = '/dev/log'
/** LOG_DAEMON, as the facility's part of a priority. */
const FACILITY = 3 << 3

/** The journal's native protocol: a field a line. https://systemd.io/JOURNAL_NATIVE_PROTOCOL */
export function openJournal(identifier: string, path = JOURNAL_SOCKET): Daemon {
  return connect(path, (priority, message) =>
    [
      `PRIORITY=${priority}`,
      `SYSLOG_IDENTIFIER=${oneLine(identifier)}`,
      `MESSAGE=${oneLine(message)}`,
      '',
    ].join('\n'),
  )
}

/** What syslog(3) sends: RFC 3164 without the time and the host, which the daemon adds. */
export function openSyslog(identifier: string, path = SYSLOG_SOCKET): Daemon {
  return connect(
    path,
    (priority, message) =>
      `<${FACILITY | priority}>${oneLine(identifier)}[${process.pid}]: ${oneLine(message)}`,
  )
}

/** Connects at once, so that a daemon that is not there is told of before anything is done. */
function connect(path: string, format: (priority: number, message: string) => string): Daemon {
  const socket = connectUnix(path, 'datagram')
  return (priority, message) => sendDatagram(socket, Buffer.from(format(priority, message)))
}

/** A line feed would begin another field. */
function oneLine(text: string): string {
  return text.replaceAll('\n', ' ')
}
