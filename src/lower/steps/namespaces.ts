import type {
  CloneInit,
  HoldMountNamespace,
  JoinNamespace,
  JoinSessionKeyring,
  NamespaceType,
  NewSession,
  SetDomainname,
  SetHostname,
  SetKeyringLabel,
  UnshareCgroupNamespace,
} from '../../plan/steps.ts'
import { close, open, text } from '../calls.ts'
import { CLONE, flags, KEYCTL, ZERO } from '../constants.ts'
import { addMeet, type Context } from '../context.ts'
import { immediate, load, slotValue } from '../operands.ts'
import { writeProcfs } from '../procfs.ts'
import { CLONE_ARGS_AT, encodeCloneArgs } from '../structs.ts'

export const NAMESPACE: Readonly<Record<NamespaceType, keyof typeof CLONE.values>> = {
  pid: 'NEWPID',
  network: 'NEWNET',
  mount: 'NEWNS',
  ipc: 'NEWIPC',
  uts: 'NEWUTS',
  user: 'NEWUSER',
  cgroup: 'NEWCGROUP',
  time: 'NEWTIME',
}

/** The stage process makes init, tells the runtime of it and leaves; init goes on. */
export function lowerCloneInit(context: Context, step: CloneInit): void {
  const { asm } = context
  const names = step.namespaces.map((name) => NAMESPACE[name])
  const into = step.intoCgroup === undefined ? [] : (['INTO_CGROUP'] as const)
  const what = flags(CLONE, 'PIDFD', ...names, ...into)
  const args = asm.bytes(encodeCloneArgs(what.value))
  const pidfd = asm.bytes(4)
  asm.relocate(args, CLONE_ARGS_AT.pidfd, pidfd)
  if (step.intoCgroup !== undefined) {
    const cgroup = asm.slot('cgroup', step.intoCgroup)
    open(asm, step.intoCgroup, ['PATH', 'DIRECTORY', 'CLOEXEC'], { into: cgroup })
    asm.store(args, CLONE_ARGS_AT.cgroup, 8, slotValue(cgroup), 'args.cgroup')
  }
  const pid = asm.slot('pid')
  const init = asm.label('init')
  asm.clone(args, `{${what.show}}`, init, { into: pid })
  asm.post(addMeet(context, { kind: 'cloned' }), 'init is there', {
    values: [slotValue(pid)],
    fds: [load(pidfd, 0, 4, 'pidfd')],
  })
  asm.call('exit_group', [ZERO])
  asm.place(init)
}

export function lowerHoldMountNamespace(context: Context, _step: HoldMountNamespace): void {
  const { asm } = context
  context.mountNamespace = asm.slot('hostmounts')
  open(asm, '/proc/self/ns/mnt', ['RDONLY', 'CLOEXEC'], { into: context.mountNamespace })
}

/**
 * All of a phase are opened at the first of them, then joined in order: a path may lie in /proc, or
 * in a mount, that joining another namespace takes away.
 */
export function lowerJoinNamespace(context: Context, step: JoinNamespace): void {
  const { asm } = context
  const joins = context.steps.filter(
    (other): other is JoinNamespace =>
      other.kind === 'join-namespace' && other.phase === step.phase,
  )
  if (joins[0] !== step) return
  const opened = joins.map((join) => {
    const fd = asm.slot(`${join.namespace}ns`, join.path)
    asm.begin(join)
    open(asm, join.path, ['RDONLY', 'CLOEXEC'], { into: fd })
    return { join, fd }
  })
  for (const { join, fd } of opened) {
    asm.begin(join)
    asm.call('setns', [slotValue(fd), flags(CLONE, NAMESPACE[join.namespace])])
    close(asm, fd)
  }
}

export function lowerUnshareCgroup({ asm }: Context, _step: UnshareCgroupNamespace): void {
  asm.call('unshare', [flags(CLONE, 'NEWCGROUP')])
}

export function lowerNewSession({ asm }: Context, _step: NewSession): void {
  asm.call('setsid', [])
}

/** Forgotten at execve. */
export function lowerKeyringLabel(context: Context, { label }: SetKeyringLabel): void {
  writeProcfs(context, 'thread-self/attr/keycreate', label)
}

export function lowerSessionKeyring({ asm }: Context, step: JoinSessionKeyring): void {
  const next = asm.label('keyring')
  // Kernels without CONFIG_KEYS have no such call, and no keys to keep apart.
  asm.call('keyctl', [flags(KEYCTL, 'JOIN_SESSION_KEYRING'), text(asm, step.name)], {
    on: { ENOSYS: next },
  })
  asm.place(next)
}

export function lowerHostname({ asm }: Context, step: SetHostname): void {
  asm.call('sethostname', [text(asm, step.name), immediate(Buffer.byteLength(step.name))])
}

export function lowerDomainname({ asm }: Context, step: SetDomainname): void {
  asm.call('setdomainname', [text(asm, step.name), immediate(Buffer.byteLength(step.name))])
}
