/**
 * An engine that is killed while its containers run: they run on where they can, exec works
 * afterwards, and in the end nothing is left of them. Run by hand.
 */
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BOX, startContainerd } from './containerd.ts'
import { startDocker, stopDocker } from './docker.ts'
import { describeEngine, expectNoTraces, isRunning, must, sh, waitFor } from './rig.ts'

let counter = 0

/** Kills the unit's main process, and waits for systemd to have started another. */
async function killService(unit: string): Promise<void> {
  const findPid = () => must(`systemctl show -P MainPID ${unit}`).trim()
  const pid = findPid()
  must(`kill -KILL ${pid}`)
  await waitFor(`${unit} to be up again`, () => {
    return !['0', pid].includes(findPid()) && sh(`systemctl is-active ${unit}`).status === 0
  })
}

/** Of containerd, for a container of any engine. */
function killShim(id: string): void {
  must(`pkill -KILL -f 'containerd-shim-runc-v2 .*-id ${id}( |$)'`)
}

const isAlive = (pid: string) => sh(`kill -0 ${pid}`).status === 0

describeEngine('containerd', (runtime) => {
  beforeAll(startContainerd)

  const pidOf = (id: string) => must(`ctr task ls | awk '$1 == "${id}" { print $2 }'`).trim()
  const hasTask = (id: string) => pidOf(id) !== ''
  const run = (id: string) => {
    must(`ctr run -d --runc-binary ${runtime.path} ${BOX} ${id} sleep 10000`)
    return pidOf(id)
  }
  const exec = (id: string) => must(`ctr task exec --exec-id e ${id} echo hello`)
  const remove = async (id: string) => {
    must(`ctr task rm -f ${id}; ctr container rm ${id}`)
    await expectNoTraces([id])
  }

  describe('killed', () => {
    it('containerd: containers run on', async () => {
      const id = `killed-${++counter}`
      const pid = run(id)
      await killService('containerd')
      expect(pidOf(id)).toBe(pid)
      expect(isAlive(pid)).toBe(true)
      expect(exec(id)).toBe('hello\n')
      await remove(id)
    })

    it('the shim: containerd removes the container', async () => {
      const id = `killed-${++counter}`
      const pid = run(id)
      killShim(id)
      await waitFor('its end', () => !isAlive(pid) && !hasTask(id))
      must(`ctr container rm ${id}`)
      await expectNoTraces([id])
      run(id)
      expect(exec(id)).toBe('hello\n')
      await remove(id)
    })

    it('containerd and the shim', async () => {
      const id = `killed-${++counter}`
      const pid = run(id)
      must(`kill -STOP $(systemctl show -P MainPID containerd)`)
      killShim(id)
      await killService('containerd')
      await waitFor('its end', () => !isAlive(pid) && !hasTask(id))
      must(`ctr container rm ${id}`)
      await expectNoTraces([id])
    })
  })
})

describeEngine('docker', (runtime) => {
  const inspect = (id: string, what: string) => must(`docker inspect -f '{{${what}}}' ${id}`).trim()
  const pidOf = (id: string) => inspect(id, '.State.Pid')
  const run = (flags = '') => must(`docker run -d ${flags} box sleep 10000`).trim()
  const exec = (id: string) => must(`docker exec ${id} echo hello`)
  const listIds = (flags: string) =>
    must(`docker ps -q --no-trunc ${flags}`).split('\n').filter(Boolean)
  const answers = () => waitFor('an answer', () => sh('docker ps').status === 0)
  const remove = async (id: string) => {
    must(`docker rm -f ${id}`)
    await expectNoTraces([id])
  }

  describe('killed', () => {
    afterAll(stopDocker)

    describe('live-restore', () => {
      beforeAll(() => startDocker(runtime, 'systemd', { 'live-restore': true }))

      it('dockerd: containers run on', async () => {
        const id = run()
        const pid = pidOf(id)
        await killService('docker')
        await answers()
        expect(pidOf(id)).toBe(pid)
        expect(isAlive(pid)).toBe(true)
        expect(exec(id)).toBe('hello\n')
        must(`docker stop -t 0 ${id}`)
        expect(inspect(id, '.State.ExitCode')).toBe('137')
        await remove(id)
      })

      it('containerd: containers run on', async () => {
        const id = run()
        const pid = pidOf(id)
        await killService('containerd')
        await waitFor('exec', () => sh(`docker exec ${id} true`).status === 0)
        expect(pidOf(id)).toBe(pid)
        expect(isAlive(pid)).toBe(true)
        await remove(id)
      })

      // With any runtime they forget containers that nobody had told them of yet.
      it('both, while ten containers start: the runtime removes what they forget', async () => {
        const calls = spawn('sh', [
          '-c',
          'for i in 1 2 3 4 5 6 7 8 9 10; do docker run -d box sleep 10000 & done; wait',
        ])
        const ended = new Promise((settle) => calls.on('close', settle))
        await waitFor('some', () => listIds('--filter status=running').length > 2)
        await Promise.all([killService('containerd'), killService('docker')])
        await ended
        await answers()
        must(`docker rm -f ${listIds('--all').join(' ')}`)
        must(`
          cd /run/docker/runtime-runc/moby
          for id in $(ls | grep -xE '[0-9a-f]{64}' || true); do
            ${runtime.path} --root $PWD delete --force $id
          done`)
        await waitFor('the end of all', () => !isRunning('sleep 10000'))
        expect(must('find /sys/fs/cgroup -name "docker-*"')).toBe('')
      })

      it('the shim: the container has ended, and starts again', async () => {
        const id = run()
        const pid = pidOf(id)
        killShim(id)
        await waitFor('its end', () => !isAlive(pid) && inspect(id, '.State.Running') === 'false')
        must(`docker start ${id}`)
        expect(exec(id)).toBe('hello\n')
        await remove(id)
      })
    })

    describe('without live-restore', () => {
      beforeAll(() => startDocker(runtime, 'systemd'))

      it('dockerd: containers end, and start again where they shall', async () => {
        const ended = run()
        const restarted = run('--restart always')
        const pids = [pidOf(ended), pidOf(restarted)]
        await killService('docker')
        await answers()
        await waitFor('the end of both', () => !pids.some(isAlive))
        expect(inspect(ended, '.State.Running')).toBe('false')
        await waitFor('the restart', () => inspect(restarted, '.State.Running') === 'true')
        expect(exec(restarted)).toBe('hello\n')
        must(`docker start ${ended}`)
        expect(exec(ended)).toBe('hello\n')
        await remove(ended)
        await remove(restarted)
      })
    })
  })
})
