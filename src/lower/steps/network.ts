import type { RaiseLoopback, SetSysctl } from '../../plan/steps.ts'
import { close, openBelow, text } from '../calls.ts'
import { AF, FSCONFIG, FSMOUNT, FSOPEN, flags, IOCTL, NULL, SOCK, ZERO } from '../constants.ts'
import { type Context, isNeededLater } from '../context.ts'
import { address, immediate, type Slot, slotValue } from '../operands.ts'
import { encodeInterfaceFlags } from '../structs.ts'

const IFF_UP = 1

/** Through a unix socket: interface ioctls are every family's, and a kernel may lack IPv4. */
export function lowerRaiseLoopback({ asm }: Context, _step: RaiseLoopback): void {
  const socket = asm.slot('socket')
  const request = asm.bytes(encodeInterfaceFlags('lo', IFF_UP))
  const how = flags(SOCK, 'DGRAM', 'CLOEXEC')
  asm.call('socket', [flags(AF, 'UNIX'), how, ZERO], { into: socket })
  const shown = address(request, '{"lo", IFF_UP}')
  asm.call('ioctl', [slotValue(socket), flags(IOCTL, 'SIOCSIFFLAGS'), shown])
  close(asm, socket)
}

/** Below a procfs that nobody else can have mounted anything over (CVE-2025-52881). */
export function lowerSysctl(context: Context, step: SetSysctl): void {
  const { asm } = context
  context.procfs ??= mountProcfs(context)
  const file = asm.slot('file', `/proc/sys/${step.path}`)
  openBelow(
    asm,
    slotValue(context.procfs),
    `sys/${step.path}`,
    ['WRONLY', 'CLOEXEC'],
    ['BENEATH', 'NO_XDEV', 'NO_SYMLINKS', 'NO_MAGICLINKS'],
    { into: file, reason: 'does this kernel have that parameter?' },
  )
  const length = immediate(Buffer.byteLength(step.value))
  asm.call('write', [slotValue(file), text(asm, step.value), length])
  close(asm, file)
  if (isNeededLater(context, 'set-sysctl')) return
  close(asm, context.procfs)
}

function mountProcfs({ asm }: Context): Slot {
  const filesystem = asm.slot('fs')
  const procfs = asm.slot('procfs')
  asm.call('fsopen', [text(asm, 'proc'), flags(FSOPEN, 'CLOEXEC')], { into: filesystem })
  asm.call('fsconfig', [slotValue(filesystem), flags(FSCONFIG, 'CMD_CREATE'), NULL, NULL, ZERO], {
    reason: 'sysctls are written through a procfs of our own; here none can be mounted',
  })
  asm.call('fsmount', [slotValue(filesystem), flags(FSMOUNT, 'CLOEXEC'), ZERO], { into: procfs })
  close(asm, filesystem)
  return procfs
}
