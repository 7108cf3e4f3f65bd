import type { ChangeDirectory, OwnStdio, VerifyDirectory } from '../../plan/steps.ts'
import { close, openBelow, statFd } from '../calls.ts'
import { flags, IOCTL, S } from '../constants.ts'
import { type Context, failure, isNeededLater, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import { address, immediate, type Label, load, slotValue } from '../operands.ts'
import { closeRoot } from '../root.ts'
import { STATX_AT } from '../structs.ts'

/** Pipes, files, sockets and ttys; a device such as /dev/null is the host's. */
export function lowerOwnStdio(context: Context, step: OwnStdio): void {
  const { asm, scratch } = context
  const type = BigInt(S.values.IFMT)
  for (const number of [0, 1, 2]) {
    const fd = immediate(number)
    const next = asm.label(`stdio${number + 1}`)
    const own = asm.label(`own${number}`)
    statFd(asm, fd, scratch, { on: { EBADF: next } })
    const uid = load(scratch, STATX_AT.uid, 4, 'st.uid')
    asm.test(uid, 0xffff_ffffn, 'eq', BigInt(step.uid), next)
    const mode = load(scratch, STATX_AT.mode, 4, 'st.mode')
    for (const kind of ['IFIFO', 'IFREG', 'IFSOCK'] as const) {
      asm.test(mode, type, 'eq', flags(S, kind), own)
    }
    asm.test(mode, type, 'ne', flags(S, 'IFCHR'), next)
    const termios = address(scratch, '&termios')
    asm.call('ioctl', [fd, flags(IOCTL, 'TCGETS'), termios], { on: { '*': next } })
    asm.place(own)
    asm.call('fchown', [fd, immediate(step.uid), immediate(step.gid)], {
      on: { EPERM: next, EROFS: next, EINVAL: next, EBADF: next },
    })
    asm.place(next)
  }
}

/** Not by a magic link, such as /proc/self/fd/N, out of the root (CVE-2024-21626). */
export function lowerChangeDirectory(context: Context, step: ChangeDirectory): void {
  const { asm } = context
  const directory = asm.slot('cwd', step.path)
  const how = ['PATH', 'DIRECTORY', 'CLOEXEC'] as const
  const within = ['IN_ROOT', 'NO_MAGICLINKS'] as const
  const because = (why: string): Label =>
    failure(context, FAIL.directory, `chdir to cwd (${JSON.stringify(step.path)}) failed: ${why}`)
  openBelow(asm, slotValue(rootOf(context)), step.path, how, within, {
    into: directory,
    // In the words that engines choose exit status 126 and 127 by.
    on: {
      ENOENT: because('no such file or directory'),
      ENOTDIR: because('not a directory'),
      EACCES: because('permission denied'),
    },
  })
  asm.call('fchdir', [slotValue(directory)])
  close(asm, directory)
  if (!isNeededLater(context, 'change-directory', 'read-home')) closeRoot(context)
}

export function lowerVerifyDirectory(context: Context, _step: VerifyDirectory): void {
  const { asm, scratch } = context
  const gone = failure(context, FAIL.directory, 'the working directory was removed')
  const outside: Label = failure(
    context,
    FAIL.directory,
    'the working directory is outside of the root (CVE-2024-21626)',
  )
  const room = address(scratch, 'cwd')
  asm.call('getcwd', [room, immediate(scratch.size)], { on: { ENOENT: gone } })
  const first = load(scratch, 0, 4, 'cwd[0]')
  asm.test(first, 0xffn, 'ne', immediate(0x2f, "'/'"), outside)
}
