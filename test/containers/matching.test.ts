/** `--regex`, of crun: not in runc. */
import { expect, it } from 'vitest'
import { createContainer, describeContainers, invoke, readState, waitForStatus } from './rig.ts'

describeContainers('kill and delete by a regular expression', (runtime) => {
  if (runtime.name === 'runc') {
    it.skip('(runc has no --regex)', () => {})
    return
  }

  const create = () => createContainer(runtime, [['report']]).id

  it('reach every container that matches, and no other', async () => {
    const [first, second, other] = [create(), create(), create()]
    const both = `^(${first}|${second})$`
    expect(invoke(runtime, ['kill', '--regex', both, 'KILL'])).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    })
    for (const id of [first, second]) await waitForStatus(runtime, id, 'stopped')
    expect(readState(runtime, other).status).toBe('created')
    expect(invoke(runtime, ['delete', '-r', both])).toMatchObject({ status: 0, stderr: '' })
    const left = invoke(runtime, ['list', '--quiet']).stdout.split('\n')
    expect(left).toContain(other)
    expect(left).not.toContain(first)
    expect(left).not.toContain(second)
  })

  it('a container that fails is named, and does not keep the others from it', async () => {
    const [first, second] = [create(), create()]
    invoke(runtime, ['kill', first, 'KILL'])
    await waitForStatus(runtime, first, 'stopped')
    const both = `^(${first}|${second})$`
    const result = invoke(runtime, ['kill', '-r', both, 'KILL'])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain(`${first}: container not running`)
    expect(result.stderr).not.toContain(`${second}:`)
    await waitForStatus(runtime, second, 'stopped')
  })

  it('nobody matches: nothing happens', () => {
    expect(invoke(runtime, ['delete', '--force', '--regex', '^no-such-'])).toMatchObject({
      status: 0,
      stderr: '',
    })
  })

  it('an expression that is none is refused', () => {
    const result = invoke(runtime, ['kill', '--regex', '('])
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/--regex: .*Unterminated group/)
  })
})
