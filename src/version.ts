import manifest from '../package.json' with { type: 'json' }

/** Set by the build. */
declare const TSRUNC_COMMIT: string | undefined

export const VERSION = manifest.version
export const COMMIT = typeof TSRUNC_COMMIT === 'string' ? TSRUNC_COMMIT : 'unknown'
/** The newest runtime-spec that config.json may be written for. */
export const SPEC_VERSION = '1.3.0'

/** The lines that dockerd, containerd and Podman read: `NAME version X` comes first. */
export function renderVersion(): string {
  return `tsrunc version ${VERSION}\ncommit: ${COMMIT}\nspec: ${SPEC_VERSION}\n`
}
