/**
 * A host that is switched off and on again with containers alive. Run by hand. This file is run by
 * both boots: the first makes the containers and reboots, the second looks at what is left.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { BOX, startContainerd } from './containerd.ts'
import {
  check,
  chooseRuntimes,
  describeEngine,
  makeRootfs,
  must,
  ROOTFS_TAR,
  type Runtime,
  waitFor,
} from './rig.ts'

const HOME = '/var/lib/reboot'
/** The id of the boot that made the containers; there from the moment that they are made. */
const MARK = `${HOME}/boot`
const BOOT = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')

const PLACES = {
  disk: ({ name }: Runtime) => `${HOME}/state-${name}`,
  // Where an empty directory is what a boot finds.
  tmpfs: ({ name }: Runtime) => `/run/reboot-${name}`,
} as const
const STATES = ['created', 'running', 'paused'] as const
const DRIVERS = {
  cgroupfs: { flag: '', cgroupsPath: (id: string) => `/reboot/${id}` },
  systemd: { flag: '--systemd-cgroup', cgroupsPath: (id: string) => `system.slice:reboot:${id}` },
} as const

type Place = keyof typeof PLACES
type Driver = keyof typeof DRIVERS

const idOf = (runtime: Runtime, place: Place, driver: Driver, state: string) =>
  `${runtime.name}-${place}-${driver}-${state}`
const bundleOf = (id: string) => `${HOME}/bundles/${id}`

function prepare(): void {
  mkdirSync(HOME, { recursive: true })
  makeRootfs()
  must(`mkdir ${HOME}/rootfs; tar -xf ${ROOTFS_TAR} -C ${HOME}/rootfs`)
  startContainerd()
  mkdirSync('/etc/docker', { recursive: true })
  const runtimes = Object.fromEntries(
    chooseRuntimes().map(({ name, path }) => [`t-${name}`, { path }]),
  )
  const network = { iptables: false, ip6tables: false, bridge: 'none' }
  writeFileSync('/etc/docker/daemon.json', JSON.stringify({ ...network, runtimes }))
  must(`systemctl start docker; docker import ${ROOTFS_TAR} box`)
  for (const runtime of chooseRuntimes()) {
    for (const place of ['disk', 'tmpfs'] as const) {
      for (const driver of ['cgroupfs', 'systemd'] as const) {
        for (const state of STATES) makeContainer(runtime, place, driver, state)
      }
    }
    for (const policy of ['no', 'always']) {
      const name = `${runtime.name}-${policy}`
      const flags = `-d --name ${name} --restart ${policy}`
      must(`
        docker run ${flags} --runtime t-${runtime.name} box sleep 10000
        podman --runtime ${runtime.path} run ${flags} --network none box sleep 10000`)
    }
    must(`ctr run -d --runc-binary ${runtime.path} ${BOX} ${runtime.name} sleep 10000`)
  }
}

function makeContainer(runtime: Runtime, place: Place, driver: Driver, state: string): void {
  const id = idOf(runtime, place, driver, state)
  const bundle = bundleOf(id)
  const { flag, cgroupsPath } = DRIVERS[driver]
  mkdirSync(bundle, { recursive: true })
  const config = JSON.parse(
    execFileSync('sh', ['-ec', `cd ${bundle}; /usr/sbin/runc spec; cat config.json`], {
      encoding: 'utf8',
    }),
  )
  config.root = { path: `${HOME}/rootfs`, readonly: true }
  Object.assign(config.process, { terminal: false, args: ['sleep', '10000'] })
  Object.assign(config.linux, { cgroupsPath: cgroupsPath(id), resources: { pids: { limit: 20 } } })
  writeFileSync(`${bundle}/config.json`, JSON.stringify(config))
  const call = `${runtime.path} ${flag} --root ${PLACES[place](runtime)}`
  must(`
    ${call} create --bundle ${bundle} ${id} </dev/null >/dev/null 2>&1
    ${state === 'created' ? '' : `${call} start ${id}`}
    ${state === 'paused' ? `${call} pause ${id}` : ''}`)
}

function reboot(): never {
  writeFileSync(MARK, BOOT)
  // Without a shutdown, as a power failure.
  must('sync; systemctl reboot --force --force; sleep 100', 100)
  throw new Error('still there')
}

if (!existsSync(MARK)) {
  prepare()
  reboot()
}

describeEngine('reboot', (runtime) => {
  it('this is another boot', () => {
    expect(readFileSync(MARK, 'utf8')).not.toBe(BOOT)
  })

  for (const driver of ['cgroupfs', 'systemd'] as const) {
    const callAt = (place: Place) =>
      `${runtime.path} ${DRIVERS[driver].flag} --root ${PLACES[place](runtime)}`

    /** The same id and the same bundle once more. */
    const checkFree = (id: string, call: string) =>
      check(
        'the id is free',
        `${call} run -d --bundle ${bundleOf(id)} ${id} </dev/null >/dev/null
         ${call} exec ${id} echo hello
         ${call} delete -f ${id}`,
        { output: /^hello$/m },
      )

    describe.each(STATES)(`state on a disk, ${driver}, %s`, (state) => {
      const id = idOf(runtime, 'disk', driver, state)
      const call = callAt('disk')
      check('list', `${call} list | grep ${id}`, { output: /stopped/ })
      check('state', `${call} state ${id}`, { output: /"status": "stopped"/ })
      check('kill', `${call} kill ${id} KILL`, { status: 1, output: /not running/ })
      check('start', `${call} start ${id}`, { status: 1 })
      check('exec', `${call} exec ${id} true`, { status: 255 })
      const other = callAt('tmpfs')
      check(
        'delete: who has the same cgroup by now lives on',
        `${other} run -d --bundle ${bundleOf(id)} other </dev/null >/dev/null
         trap '${other} delete -f other; ${call} delete -f ${id}' EXIT
         ${call} delete ${id}
         ${other} exec other echo hello`,
        { output: /^hello$/m },
      )
      check('it is gone', `${call} list -q | grep ${id}`, { status: 1 })
      checkFree(id, call)
    })

    describe.each(STATES)(`state on a tmpfs, ${driver}, %s`, (state) => {
      const id = idOf(runtime, 'tmpfs', driver, state)
      const call = callAt('tmpfs')
      check('state', `${call} state ${id}`, { status: 1, output: /does not exist/ })
      checkFree(id, call)
    })
  }

  describe('podman', () => {
    const name = (policy: string) => `${runtime.name}-${policy}`
    check('has stopped', `podman ps -a | grep ${name('no')}`, { output: /Exited/ })
    check('start', `podman start ${name('no')}; podman exec ${name('no')} echo hello`, {
      output: /^hello$/m,
    })
    check(
      '--restart always',
      `podman start --all --filter restart-policy=always --filter name=${name('always')}
       podman exec ${name('always')} echo hello`,
      { output: /^hello$/m },
    )
    check('rm', `podman rm -f -t 0 ${name('no')} ${name('always')}`, {})
  })

  describe('docker', () => {
    const name = (policy: string) => `${runtime.name}-${policy}`
    beforeAll(() => {
      must('systemctl start docker')
    })
    it('--restart always', async () => {
      await waitFor('it', () => must('docker ps').includes(name('always')))
      expect(must(`docker exec ${name('always')} echo hello`)).toBe('hello\n')
    })
    check('has stopped', `docker ps -a | grep ${name('no')}`, { output: /Exited/ })
    check('start', `docker start ${name('no')}; docker exec ${name('no')} echo hello`, {
      output: /^hello$/m,
    })
    check('rm', `docker rm -f ${name('no')} ${name('always')}`, {})
  })

  describe('containerd', () => {
    const { name } = runtime
    beforeAll(startContainerd)
    check('has no task', `ctr container ls -q | grep ${name}; ctr task ls | grep ${name}`, {
      status: 1,
      output: RegExp(name),
    })
    check('start', `ctr task start -d ${name}; ctr task exec --exec-id e ${name} echo hello`, {
      output: /^hello$/m,
    })
    check('rm', `ctr task rm -f ${name}; ctr container rm ${name}`, {})
  })
})
