/**
 * Fifty containers up at once, and nothing of them left anywhere afterwards. Run by hand: the times
 * of the lines are what fifty of them take.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BOX, startContainerd } from './containerd.ts'
import { startDocker, stopDocker } from './docker.ts'
import { describeEngine, expectNoTraces, findTraces, must } from './rig.ts'

const COUNT = 50
/** That many calls of the engine at a time. */
const CALLERS = 5

/** The scripts of an engine; `$1` is a container's name. */
interface Engine {
  readonly start: string
  readonly exec: string
  readonly remove: string
  /** Prints the ids of those that run. */
  readonly list: string
}

function defineCrowd({ start, exec, remove, list }: Engine): void {
  const forEach = (script: string) =>
    must(`seq -f crowd-%02.0f ${COUNT} | xargs -P ${CALLERS} -I N sh -ec '${script}' sh N`, 600)
  const listIds = () => must(list).split('\n').filter(Boolean)
  let ids: readonly string[] = []

  it('start', () => {
    forEach(start)
  })
  it('run', () => {
    ids = listIds()
    expect(ids).toHaveLength(COUNT)
    // That they are looked for where they are.
    expect(findTraces(ids).length).toBeGreaterThan(COUNT * 2)
  })
  it('exec', () => {
    // Throws where one of them fails.
    forEach(exec)
  })
  it('remove', () => {
    forEach(remove)
    expect(listIds()).toEqual([])
  })
  it('nothing is left', async () => {
    expect(ids).toHaveLength(COUNT)
    await expectNoTraces(ids)
  })
}

describeEngine('containerd', (runtime) => {
  describe('fifty at once', () => {
    beforeAll(startContainerd)
    defineCrowd({
      start: `ctr run -d --runc-binary ${runtime.path} ${BOX} $1 sleep 10000`,
      exec: 'ctr task exec --exec-id e $1 true',
      remove: 'ctr task rm -f $1; ctr container rm $1',
      list: 'ctr task ls | awk \'$3 == "RUNNING" { print $1 }\'',
    })
  })
})

describeEngine('docker', (runtime) => {
  describe('fifty at once', () => {
    beforeAll(() => startDocker(runtime, 'systemd'))
    afterAll(stopDocker)
    defineCrowd({
      start: 'docker run -d --name $1 box sleep 10000',
      exec: 'docker exec $1 true',
      remove: 'docker rm -f $1',
      list: 'docker ps -q --no-trunc',
    })
  })
})
