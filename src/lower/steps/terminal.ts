import type { AttachTerminal, BindConsole, OpenTerminal } from '../../plan/steps.ts'
import { attach, cloneMount, close, loadFilesystemType, open, openBelow, statFd } from '../calls.ts'
import { FS_MAGIC, flags, IOCTL, O, ZERO } from '../constants.ts'
import { addMeet, type Context, failure, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import { changeMount } from '../mount-attributes.ts'
import { ALL_BITS, address, immediate, load, type Slot, slotValue } from '../operands.ts'
import { encodeWindowSize, STATX_AT } from '../structs.ts'

const STDIN = immediate(0)
const WORD = 0xffff_ffffn
const NO_CHANGE = { set: [], clear: [] } as const
const MASTER = ['RDWR', 'NOCTTY', 'CLOEXEC'] as const
const PTMX = { major: 5n, minor: 2n }

export function lowerOpenTerminal(context: Context, step: OpenTerminal): void {
  const { asm } = context
  const master = asm.slot('master', '/dev/ptmx')
  if (step.from === 'runtime') open(asm, '/dev/ptmx', MASTER, { into: master })
  else openOwnMaster(context, master)
}

/**
 * What is at /dev/pts may be anything that an image or a container put there (CVE-2025-52565):
 * only of a devpts is its ptmx opened, and nothing that was mounted over it.
 */
function openOwnMaster(context: Context, master: Slot): void {
  const { asm, scratch } = context
  const devpts = asm.slot('devpts', '/dev/pts')
  const within = ['IN_ROOT', 'NO_MAGICLINKS'] as const
  const how = ['PATH', 'DIRECTORY', 'CLOEXEC'] as const
  openBelow(asm, slotValue(rootOf(context)), '/dev/pts', how, within, { into: devpts })
  const other = failure(context, FAIL.refused, '/dev/pts is no devpts (CVE-2025-52565)')
  const type = loadFilesystemType(asm, slotValue(devpts), scratch)
  asm.test(type, ALL_BITS, 'ne', flags(FS_MAGIC, 'DEVPTS_SUPER_MAGIC'), other)
  const alone = ['BENEATH', 'NO_XDEV', 'NO_SYMLINKS'] as const
  openBelow(asm, slotValue(devpts), 'ptmx', MASTER, alone, { into: master })
  statFd(asm, slotValue(master), scratch)
  const { rdevMajor, rdevMinor } = STATX_AT
  asm.test(load(scratch, rdevMajor, 4, 'st.rdev_major'), WORD, 'ne', PTMX.major, other)
  asm.test(load(scratch, rdevMinor, 4, 'st.rdev_minor'), WORD, 'ne', PTMX.minor, other)
  close(asm, devpts)
}

export function lowerAttachTerminal(context: Context, step: AttachTerminal): void {
  const { asm } = context
  const master = asm.slot('master', '/dev/ptmx')
  const slave = asm.slot('slave')
  const fd = slotValue(slave)
  const unlock = address(asm.bytes(4), '{0}')
  asm.call('ioctl', [slotValue(master), flags(IOCTL, 'TIOCSPTLCK'), unlock])
  // Not by its path, which somebody could have mounted over.
  const how = flags(O[asm.architecture], ...MASTER)
  asm.call('ioctl', [slotValue(master), flags(IOCTL, 'TIOCGPTPEER'), how], { into: slave })
  const owned = asm.label('owned')
  asm.call('fchown', [fd, immediate(step.uid), immediate(-1)], {
    // An id that the user namespace of a devpts does not have.
    on: { EPERM: owned, EINVAL: owned, EROFS: owned },
  })
  asm.place(owned)
  if (step.size !== undefined) {
    const { rows, columns } = step.size
    const size = address(asm.bytes(encodeWindowSize(rows, columns)), `{${rows}, ${columns}}`)
    asm.call('ioctl', [slotValue(master), flags(IOCTL, 'TIOCSWINSZ'), size])
  }
  asm.meet(addMeet(context, { kind: 'exchange', step }), 'hand the terminal over', {
    fds: [slotValue(master)],
  })
  close(asm, master)
  asm.call('ioctl', [fd, flags(IOCTL, 'TIOCSCTTY'), ZERO])
  for (const target of [0, 1, 2]) asm.call('dup3', [fd, immediate(target), ZERO])
  close(asm, slave)
}

export function lowerBindConsole(context: Context, step: BindConsole): void {
  const { asm } = context
  const done = asm.label('console')
  const target = asm.slot('target', '/dev/console')
  const tree = asm.slot('tree')
  const root = slotValue(rootOf(context))
  if (step.make) asm.mkpath(root, '/dev/console', 'file', { into: target })
  else {
    const within = ['IN_ROOT', 'NO_MAGICLINKS'] as const
    openBelow(asm, root, '/dev/console', ['PATH', 'CLOEXEC'], within, {
      into: target,
      on: { ENOENT: done },
    })
  }
  cloneMount(asm, STDIN, false, { into: tree })
  changeMount(asm, slotValue(tree), NO_CHANGE, NO_CHANGE, [
    { propagation: 'private', recursive: false },
  ])
  attach(asm, tree, target)
  close(asm, tree)
  close(asm, target)
  asm.place(done)
}
