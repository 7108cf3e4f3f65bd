/** ioctl(2) of terminals. */
import { callKernel } from './ffi.ts'

const TIOCGWINSZ = 0x5413
const TIOCSWINSZ = 0x5414
const TIOCGPTN = 0x8004_5430

/** The path that the slave of a pty has in its devpts, e.g. `/dev/pts/3`. */
export function nameTerminal(master: number): string {
  const number = Buffer.alloc(4)
  callKernel('ioctl', [master, TIOCGPTN, number], `ioctl(${master}, TIOCGPTN)`)
  return `/dev/pts/${number.readUInt32LE(0)}`
}

/** Gives a pty the size of the terminal that one of stdin, stdout and stderr is, if one is. */
export function copyTerminalSize(master: number): void {
  const size = Buffer.alloc(8)
  for (const fd of [0, 1, 2]) {
    const call = `ioctl(${fd}, TIOCGWINSZ)`
    const none = ['ENOTTY', 'EINVAL', 'EIO', 'EBADF', 'ENODEV', 'EOPNOTSUPP']
    if (callKernel('ioctl', [fd, TIOCGWINSZ, size], call, none) !== 0) continue
    const isKnown = size.readUInt16LE(0) > 0 && size.readUInt16LE(2) > 0
    if (isKnown) callKernel('ioctl', [master, TIOCSWINSZ, size], `ioctl(${master}, TIOCSWINSZ)`)
    return
  }
}
