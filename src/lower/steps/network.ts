import type { MoveNetDevice, RaiseLoopback, SetSysctl } from '../../plan/steps.ts'
import { close } from '../calls.ts'
import { AF, flags, IOCTL, SOCK, ZERO } from '../constants.ts'
import { addMeet, type Context } from '../context.ts'
import { address, slotValue } from '../operands.ts'
import { releaseProcfs, writeProcfs } from '../procfs.ts'
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

/** A socket stays in the namespace that it was made in: the runtime works through it. */
export function lowerMoveNetDevice(context: Context, step: MoveNetDevice): void {
  const { asm } = context
  const socket = asm.slot('netlink')
  asm.call('socket', [flags(AF, 'NETLINK'), flags(SOCK, 'RAW', 'CLOEXEC'), ZERO], { into: socket })
  asm.meet(addMeet(context, { kind: 'exchange', step }), `network device ${step.device}`, {
    fds: [slotValue(socket)],
  })
  close(asm, socket)
}

export function lowerSysctl(context: Context, step: SetSysctl): void {
  const open = 'does this kernel have that parameter?'
  writeProcfs(context, `sys/${step.path}`, step.value, { open })
  releaseProcfs(context)
}
