import type { Process } from '../config/spec.ts'
import type { Fields } from './field.ts'
import { apparmorProfile } from './process/apparmor-profile.ts'
import { args } from './process/args.ts'
import { capabilities } from './process/capabilities.ts'
import { cwd } from './process/cwd.ts'
import { env } from './process/env.ts'
import { execCPUAffinity } from './process/exec-cpu-affinity.ts'
import { ioPriority } from './process/io-priority.ts'
import { noNewPrivileges } from './process/no-new-privileges.ts'
import { oomScoreAdj } from './process/oom-score-adj.ts'
import { rlimits } from './process/rlimits.ts'
import { scheduler } from './process/scheduler.ts'
import { selinuxLabel } from './process/selinux-label.ts'
import { terminal } from './process/terminal.ts'
import { user } from './process/user.ts'

/** `process`: what runs, and as whom. */
export const process: Fields<Process> = {
  terminal,
  consoleSize: { readBy: 'terminal' },
  oomScoreAdj,
  cwd,
  env,
  rlimits,
  user,
  capabilities,
  noNewPrivileges,
  apparmorProfile,
  selinuxLabel,
  scheduler,
  ioPriority,
  execCPUAffinity,
  args,
  commandLine: { ignored: 'it is for Windows' },
}
