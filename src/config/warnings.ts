/** What is odd in a config that can run all the same. */
import { CAPABILITIES } from './capabilities.ts'
import { quote } from './complaints.ts'
import { findNearest } from './nearest.ts'
import type { Spec } from './spec.ts'

export function collectWarnings(spec: Spec): string[] {
  return [...warnOfPlatforms(spec), ...warnOfDestinations(spec), ...warnOfCapabilities(spec)]
}

function warnOfPlatforms(spec: Spec): string[] {
  const sections = ['vm', 'windows', 'zos', 'freebsd', 'solaris'] as const
  return sections
    .filter((section) => spec[section] !== undefined)
    .map((section) => `/${section}: the section has no effect on Linux`)
}

function warnOfDestinations({ mounts }: Spec): string[] {
  return (mounts ?? []).flatMap(({ destination }, index) =>
    destination.startsWith('/')
      ? []
      : [`/mounts/${index}/destination: ${quote(destination)} is taken from the root`],
  )
}

function warnOfCapabilities({ process }: Spec): string[] {
  const warnings = new Map<string, string>()
  for (const [set, names] of Object.entries(process?.capabilities ?? {})) {
    for (const [index, name] of (Array.isArray(names) ? names : []).entries()) {
      if (warnings.has(name) || CAPABILITIES.includes(name)) continue
      const nearest = findNearest(name, CAPABILITIES)
      const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
      const pointer = `/process/capabilities/${set}/${index}`
      warnings.set(name, `${pointer}: no such capability: ${quote(name)}, skipped${hint}`)
    }
  }
  return [...warnings.values()]
}
