/** config.json → Spec: parsed, validated, checked, with every issue at once. */
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type Issue, type Pointer, SpecError, UsageError } from '../errors.ts'
import type { Check } from './checks/check.ts'
import { processChecks } from './checks/process.ts'
import { resourceChecks } from './checks/resources.ts'
import { commonChecks, nulCheck } from './checks/whole-spec.ts'
import { runChecks } from './checks.ts'
import { toIssues } from './complaints.ts'
import { type JsonDocument, locate, parseJson } from './parse-json.ts'
import { explainFailure, nameDocument, readDocument } from './read-document.ts'
import { receiveAt } from './seccomp-listener.ts'
import type { Features, Mount, Process, Resources, Spec, State } from './spec.ts'
import {
  shapes,
  type Validator,
  validateConfig,
  validateFeatures,
  validateMounts,
  validateProcess,
  validateResources,
  validateState,
} from './validators.generated.js'
import { walkShape } from './walk-shape.ts'
import { collectWarnings } from './warnings.ts'

const CONFIG_NAME = 'config.json'
/** Nobody reads more, and each is looked up in the text. */
const MAX_ISSUES = 100

export interface Loaded {
  readonly spec: Spec
  /** For the debug log, a line each: `/process/argz: unknown (did you mean args?)`. */
  readonly ignored: readonly string[]
  /** What the user should know although the container can run. */
  readonly warnings: readonly string[]
  /** The error for issues that are found later: they get their place in the file, too. */
  readonly refuse: (issues: readonly Issue[]) => SpecError
}

const RESOURCES = '/linux/resources'

export interface LoadedProcess extends Omit<Loaded, 'spec'> {
  readonly process: Process
}

export interface LoadedResources extends Omit<Loaded, 'spec'> {
  readonly resources: Resources
}

interface MountsFile {
  readonly mounts: readonly Mount[]
}

interface Kinds {
  readonly config: Spec
  readonly mounts: MountsFile
  readonly process: Process
  readonly resources: Resources
  readonly state: State
  readonly features: Features
}

const validators: Readonly<Record<keyof Kinds, Validator>> = {
  config: validateConfig,
  mounts: validateMounts,
  process: validateProcess,
  resources: validateResources,
  state: validateState,
  features: validateFeatures,
}

/**
 * Reads the bundle's config.json, or the file that is named in its place (`-`: stdin). Whether its
 * rootfs is there is for `host` to find out.
 */
export function loadBundle(
  directory: string,
  config?: string,
  receiver?: string,
): Loaded & { readonly bundle: string } {
  const bundle = resolveBundle(directory)
  const text = readDocument(config ?? join(bundle, CONFIG_NAME))
  const file = config === undefined ? CONFIG_NAME : nameDocument(config)
  return { ...loadSpec(text, file, receiver), bundle }
}

/** `receiver`: the agent of seccomp that the caller's environment names. */
export function loadSpec(text: string, file: string, receiver?: string): Loaded {
  const document = parseJson(text, file)
  const { value, issues, ignored } = validate('config', document)
  const spec = issues.length > 0 ? value : receiveAt(value, receiver)
  const all = [...issues, ...runChecks(spec, issues)]
  const refuse = (later: readonly Issue[]) => new SpecError(file, place(document, later))
  if (all.length > 0) throw refuse(all)
  return { spec, ignored, warnings: collectWarnings(spec), refuse }
}

/** The file of `exec --process`: config.json's `process` alone. */
export function loadProcess(path: string): LoadedProcess {
  const wrap = (process: Process) => ({ ociVersion: '', process })
  const { value, ...loaded } = loadPart('process', path, '/process', wrap, processChecks)
  return { ...loaded, process: value }
}

/** The file of `update --resources`: config.json's `linux.resources` alone. */
export function loadResources(path: string): LoadedResources {
  const { value, ...loaded } = loadPart('resources', path, RESOURCES, wrapResources, resourceChecks)
  return { ...loaded, resources: value }
}

/** The file of `mounts add` and `mounts remove`: config.json's `mounts` alone. */
export function loadMounts(path: string): Loaded {
  const wrap = ({ mounts }: MountsFile) => ({ ociVersion: '', mounts })
  const checks = commonChecks.filter(({ reads }) => reads.includes('/mounts'))
  const { value, ...loaded } = loadPart('mounts', path, '', wrap, checks)
  return { ...loaded, spec: wrap(value) }
}

/** What is wrong with resources that no file holds; their pointers begin at the resources. */
export function checkResources(resources: Resources): readonly Issue[] {
  return runChecks(wrapResources(resources), [], resourceChecks).map(cutPointer(RESOURCES))
}

function wrapResources(resources: Resources): Spec {
  return { ociVersion: '', linux: { resources } }
}

/** A file with one member of config.json, which would stand at `at`; `wrap` puts it there. */
function loadPart<K extends keyof Kinds>(
  kind: K,
  path: string,
  at: Pointer,
  wrap: (value: Kinds[K]) => Spec,
  checks: readonly Check[],
) {
  const file = nameDocument(path)
  const document = parseJson(readDocument(path), file)
  const { value, issues, ignored } = validate(kind, document)
  const spec = wrap(value)
  const complaints = issues.map((issue) => ({ ...issue, pointer: at + issue.pointer }))
  const refuse = (later: readonly Issue[]) =>
    new SpecError(file, place(document, later.map(cutPointer(at))))
  const all = [...complaints, ...runChecks(spec, complaints, [...checks, nulCheck])]
  if (all.length > 0) throw refuse(all)
  return { value, ignored, warnings: collectWarnings(spec), refuse }
}

/** Some of the planner's issues begin at config.json, some at the member. */
function cutPointer(at: Pointer): (issue: Issue) => Issue {
  return (issue) =>
    issue.pointer.startsWith(at) ? { ...issue, pointer: issue.pointer.slice(at.length) } : issue
}

/** Validates against the schema alone. */
export function loadDocument<K extends keyof Kinds>(kind: K, text: string, file: string): Kinds[K] {
  const document = parseJson(text, file)
  const { value, issues } = validate(kind, document)
  if (issues.length > 0) throw new SpecError(file, place(document, issues))
  return value
}

interface Validated<T> {
  /** Of the type only where no issue says otherwise. */
  readonly value: T
  readonly issues: readonly Issue[]
  readonly ignored: readonly string[]
}

function validate<K extends keyof Kinds>(kind: K, document: JsonDocument): Validated<Kinds[K]> {
  const validator = validators[kind]
  const complaints = validator(document.value) ? [] : (validator.errors ?? [])
  const walked = walkShape(shapes[kind], document)
  const issues = [...toIssues(complaints, document, walked.unknown), ...walked.issues]
  const nulls = document.nulls.map((pointer) => `${pointer}: null counts as absent`)
  const unknown = walked.unknown.map(({ pointer, nearest }) =>
    nearest === undefined
      ? `${pointer}: unknown`
      : `${pointer}: unknown (did you mean ${nearest}?)`,
  )
  return { value: document.value as Kinds[K], issues, ignored: [...nulls, ...unknown] }
}

/** Adds line and column; issues come in the order of the file. */
function place(document: JsonDocument, issues: readonly Issue[]): Issue[] {
  const first = new Map<Pointer, Issue>()
  for (const issue of issues.slice(0, MAX_ISSUES)) {
    const { pointer } = issue
    // A flag's name stands in no file.
    const position = pointer.startsWith('--') ? {} : locate(document, pointer)
    if (!first.has(pointer)) first.set(pointer, { ...issue, ...position })
  }
  const placed = [...first.values()].sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  )
  const more = issues.length - MAX_ISSUES
  if (more <= 0) return placed
  return [...placed, { pointer: '', expected: 'nothing else wrong', found: `${more} more issues` }]
}

function resolveBundle(directory: string): string {
  try {
    return realpathSync(directory)
  } catch (error) {
    throw new UsageError(`bundle ${directory}: ${explainFailure(error, 'directory')}`)
  }
}
