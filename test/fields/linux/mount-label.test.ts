import { expect, test } from 'vitest'
import type { Mount, Spec } from '../../../src/config/spec.ts'
import { planCreate } from '../../../src/fields/plan-create.ts'
import type { Step } from '../../../src/plan/steps.ts'
import { planning, SPEC } from '../facts.ts'

const LABEL = 'a:b:c:s0:c1,c2'

function planWith(mounts: Mount[], more: Partial<Spec> = {}) {
  const linux = { ...SPEC.linux, mountLabel: LABEL, maskedPaths: ['/a'] }
  const { spec, options, facts } = planning({
    spec: { mounts, linux, ...more },
    facts: { selinux: true },
  })
  return planCreate(spec, options, facts).steps
}

function stepsOf<Kind extends Step['kind']>(kind: Kind, steps: readonly Step[]) {
  return steps.filter((step): step is Extract<Step, { kind: Kind }> => step.kind === kind)
}

test('filesystems get the label as their context, those that label themselves do not', () => {
  const types = ['tmpfs', 'devpts', 'proc', 'sysfs', 'mqueue']
  const steps = planWith(types.map((type) => ({ destination: `/${type}`, type })))
  const seen = stepsOf('mount-filesystem', steps).map(({ type, parameters, label }) => ({
    type,
    parameters,
    label,
  }))
  const context = [{ key: 'context', value: LABEL }]
  expect(seen).toEqual([
    { type: 'tmpfs', parameters: context, label: undefined },
    { type: 'devpts', parameters: context, label: undefined },
    { type: 'proc', parameters: [], label: undefined },
    { type: 'sysfs', parameters: [], label: undefined },
    { type: 'mqueue', parameters: [], label: LABEL },
  ])
})

test('so does the tmpfs of masks, and a label of its own stays', () => {
  const options = ['rootcontext="x:y:z:s0"']
  const steps = planWith([{ destination: '/tmp', type: 'tmpfs', options }])
  expect(stepsOf('mask-path', steps)).toMatchObject([{ context: { key: 'context', value: LABEL } }])
  expect(stepsOf('mount-filesystem', steps)).toMatchObject([
    { parameters: [{ key: 'rootcontext', value: 'x:y:z:s0' }] },
  ])
})

test('an annotation chooses the option', () => {
  const annotations = { 'run.oci.mount_context_type': 'rootcontext' }
  const steps = planWith([{ destination: '/tmp', type: 'tmpfs' }], { annotations })
  expect(stepsOf('mount-filesystem', steps)).toMatchObject([
    { parameters: [{ key: 'rootcontext', value: LABEL }] },
  ])
  const wrong = { 'run.oci.mount_context_type': 'size' }
  expect(() => planWith([], { annotations: wrong })).toThrow('mount_context_type')
})

test('without SELinux it has no effect, which is a warning', () => {
  const { spec, options, facts } = planning({
    spec: { linux: { ...SPEC.linux, mountLabel: LABEL, maskedPaths: ['/a'] } },
  })
  const { steps, warnings } = planCreate(spec, options, facts)
  expect(warnings).toEqual(['/linux/mountLabel: no effect: SELinux is off'])
  expect(stepsOf('mask-path', steps)[0]).not.toHaveProperty('context')
})
