/** Which function lowers which kind of step: a kind without one does not compile. */
import type { ExchangeStep, InitStep } from '../../plan/steps.ts'
import type { Context } from '../context.ts'
import {
  lowerExecLabel,
  lowerIoPriority,
  lowerMemoryPolicy,
  lowerPersonality,
  lowerScheduler,
} from './attributes.ts'
import { lowerMakeDevice, lowerMakeDirectory, lowerMakeSymlink } from './devices.ts'
import { lowerChangeDirectory, lowerOwnStdio, lowerVerifyDirectory } from './directory.ts'
import { lowerAffinity, lowerCloneProcess, lowerJoinContainer } from './entrance.ts'
import {
  lowerExecute,
  lowerFindExecutable,
  lowerInspectExecutable,
  lowerReadHome,
} from './executable.ts'
import { lowerInnerHook } from './hooks.ts'
import {
  lowerBoundingSet,
  lowerCapabilities,
  lowerLimit,
  lowerNoNewPrivileges,
  lowerUmask,
  lowerUser,
} from './identity.ts'
import { lowerMaskPath, lowerReadonlyPath } from './masks.ts'
import { lowerBindMount, lowerMountFilesystem } from './mounts.ts'
import {
  lowerCloneInit,
  lowerDomainname,
  lowerHoldMountNamespace,
  lowerHostname,
  lowerJoinNamespace,
  lowerKeyringLabel,
  lowerNewSession,
  lowerSessionKeyring,
  lowerUnshareCgroup,
} from './namespaces.ts'
import { lowerMoveNetDevice, lowerRaiseLoopback, lowerSysctl } from './network.ts'
import { lowerRemount } from './remount.ts'
import { lowerBindRootfs, lowerEnterRoot, lowerFinishReadonly, lowerPropagation } from './rootfs.ts'
import { lowerArrangeDescriptors, lowerSeccomp, lowerWaitForStart } from './start.ts'
import { lowerAttachTerminal, lowerBindConsole, lowerOpenTerminal } from './terminal.ts'
import { lowerUnmount } from './unmount.ts'
import {
  lowerBecomeRoot,
  lowerSetDumpable,
  lowerUnshareTime,
  lowerUnshareUser,
} from './user-namespace.ts'

/** A step that becomes instructions. */
export type LoweredStep = InitStep | ExchangeStep

type Table = {
  readonly [Kind in LoweredStep['kind']]: (
    context: Context,
    step: Extract<LoweredStep, { kind: Kind }>,
  ) => void
}

const LOWER: Table = {
  'join-namespace': lowerJoinNamespace,
  'set-dumpable': lowerSetDumpable,
  'unshare-user-namespace': lowerUnshareUser,
  'unshare-time-namespace': lowerUnshareTime,
  'become-root': lowerBecomeRoot,
  'clone-init': lowerCloneInit,
  'hold-mount-namespace': lowerHoldMountNamespace,
  'join-container': lowerJoinContainer,
  'clone-process': lowerCloneProcess,
  'set-affinity': lowerAffinity,
  'unshare-cgroup-namespace': lowerUnshareCgroup,
  'new-session': lowerNewSession,
  'set-keyring-label': lowerKeyringLabel,
  'join-session-keyring': lowerSessionKeyring,
  'raise-loopback': lowerRaiseLoopback,
  'set-hostname': lowerHostname,
  'set-domainname': lowerDomainname,
  'set-sysctl': lowerSysctl,
  'set-propagation': lowerPropagation,
  'bind-rootfs': lowerBindRootfs,
  'mount-filesystem': lowerMountFilesystem,
  'bind-mount': lowerBindMount,
  remount: lowerRemount,
  'finish-readonly': lowerFinishReadonly,
  'make-device': lowerMakeDevice,
  'make-symlink': lowerMakeSymlink,
  'make-directory': lowerMakeDirectory,
  'mask-path': lowerMaskPath,
  'make-path-readonly': lowerReadonlyPath,
  unmount: lowerUnmount,
  'enter-root': lowerEnterRoot,
  'own-stdio': lowerOwnStdio,
  'open-terminal': lowerOpenTerminal,
  'attach-terminal': lowerAttachTerminal,
  'bind-console': lowerBindConsole,
  'change-directory': lowerChangeDirectory,
  'set-umask': lowerUmask,
  'set-limit': lowerLimit,
  'set-scheduler': lowerScheduler,
  'set-io-priority': lowerIoPriority,
  'set-personality': lowerPersonality,
  'set-memory-policy': lowerMemoryPolicy,
  'set-exec-label': lowerExecLabel,
  'no-new-privileges': lowerNoNewPrivileges,
  'limit-bounding-set': lowerBoundingSet,
  'set-user': lowerUser,
  'set-capabilities': lowerCapabilities,
  'verify-directory': lowerVerifyDirectory,
  'find-executable': lowerFindExecutable,
  'wait-for-start': lowerWaitForStart,
  'run-hook': lowerInnerHook,
  'arrange-descriptors': lowerArrangeDescriptors,
  'load-seccomp': lowerSeccomp,
  execute: lowerExecute,
  'read-home': lowerReadHome,
  'move-net-device': lowerMoveNetDevice,
  'inspect-executable': lowerInspectExecutable,
}

export function lowerStep(context: Context, step: LoweredStep): void {
  // The table's type ties each function to its kind; the compiler cannot see it through the union.
  const lower = LOWER[step.kind] as (context: Context, step: LoweredStep) => void
  lower(context, step)
}
