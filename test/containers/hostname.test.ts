import { expect, it } from 'vitest'
import { describeContainers, probe } from './rig.ts'

describeContainers('hostname', (runtime) => {
  it('is what the config says', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.hostname = 'web1'
    })
    expect(report).toMatchObject({ hostname: 'web1' })
  })
})
