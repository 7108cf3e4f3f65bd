/** What every container gets, and no field asks for. */
import type { JoinSessionKeyring, SetKeyringLabel } from '../plan/steps.ts'
import type { Contribution, Planning } from './field.ts'

export function planLifecycle({ spec, options, facts }: Planning): Contribution {
  const label = spec.process?.selinuxLabel ?? ''
  const origin = ''
  const labelled: SetKeyringLabel = {
    kind: 'set-keyring-label',
    phase: 'session',
    origin: '/process/selinuxLabel',
    label,
  }
  const keyring: JoinSessionKeyring = {
    kind: 'join-session-keyring',
    phase: 'session',
    origin,
    name: `_ses.${options.id}`,
  }
  return {
    steps: [
      { kind: 'new-session', phase: 'session', origin },
      ...(facts.selinux && label !== '' && !options.noNewKeyring ? [labelled] : []),
      ...(options.noNewKeyring ? [] : [keyring]),
      { kind: 'record-created', phase: 'created', origin },
      { kind: 'wait-for-start', phase: 'start', origin },
      {
        kind: 'arrange-descriptors',
        phase: 'descriptors',
        origin: options.preserveFds > 0 ? '--preserve-fds' : origin,
        preserved: options.listenFds + options.preserveFds,
      },
    ],
  }
}
