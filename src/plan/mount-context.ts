/** The mount options that SELinux takes, on every filesystem: mount(8). */
export const CONTEXT_TYPES = ['context', 'fscontext', 'defcontext', 'rootcontext'] as const

export type ContextType = (typeof CONTEXT_TYPES)[number]

export function isContextType(word: string): word is ContextType {
  return CONTEXT_TYPES.some((type) => type === word)
}
