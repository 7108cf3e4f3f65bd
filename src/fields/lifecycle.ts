/** What every container gets, and no field asks for. */
import type { Contribution, Planning } from './field.ts'

export function planLifecycle({ spec, options, facts }: Planning): Contribution {
  const label = spec.process?.selinuxLabel ?? ''
  const origin = ''
  return {
    steps: [
      { kind: 'new-session', phase: 'session', origin },
      ...(options.noNewKeyring
        ? []
        : [
            {
              kind: 'join-session-keyring',
              phase: 'session',
              origin,
              name: `_ses.${options.id}`,
              ...(facts.selinux && label !== '' && { label }),
            } as const,
          ]),
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
