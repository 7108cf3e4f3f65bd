/**
 * The resident planner as a service, by the unit that it prints, for engines that are services, too.
 * Their runtime is a front that has no Node beside it: what it does, a worker did.
 */
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { BOX, startContainerd } from './containerd.ts'
import { startDocker, stopDocker } from './docker.ts'
import { preparePodman } from './podman.ts'
import { expectNoTraces, must, sh, waitFor } from './rig.ts'

const DIRECTORY = '/opt/alone'
const FRONT = `${DIRECTORY}/tsrunc`
const UNIT = '/etc/systemd/system/tsrunc.service'
/** What Node needs to be started in the front's place. */
const COLD = ['node', 'tsrunc.cjs']

/** Its scripts; `$1` is a container's name. */
interface Engine {
  readonly name: string
  readonly prepare: () => void
  readonly start: string
  /** Prints the pid of its first process. */
  readonly pid: string
  /** Runs `echo hello` in it. */
  readonly exec: string
  readonly remove: string
}

const podman = `podman --runtime ${FRONT}`
const inspect = 'inspect -f "{{.State.Pid}}" $1'

const ENGINES: readonly Engine[] = [
  {
    name: 'podman',
    prepare: preparePodman,
    start: `${podman} run -d --name $1 box sleep 10000`,
    pid: `${podman} ${inspect}`,
    exec: `${podman} exec $1 echo hello`,
    remove: `${podman} rm -f -t 0 $1`,
  },
  {
    name: 'docker',
    prepare: () => startDocker({ name: 'front', path: FRONT }, 'systemd'),
    start: 'docker run -d --name $1 box sleep 10000',
    pid: `docker ${inspect}`,
    exec: 'docker exec $1 echo hello',
    remove: 'docker rm -f $1',
  },
  {
    name: 'ctr',
    prepare: startContainerd,
    start: `ctr run -d --runc-binary ${FRONT} ${BOX} $1 sleep 10000`,
    pid: `ctr task ls | awk -v id=$1 '$1 == id { print $2 }'`,
    exec: 'ctr task exec --exec-id e$$ $1 echo hello',
    remove: 'ctr task rm -f $1; ctr container rm $1',
  },
]

const call = (script: string, name: string) => must(`set -- ${name}; ${script}`).trim()
const isServed = () => sh(`${FRONT} --version`).status === 0

/** However often that is: systemd counts starts. */
function systemctl(verb: string): void {
  must(`systemctl reset-failed tsrunc || true; systemctl ${verb} tsrunc`)
}

function allowCold(): void {
  for (const file of COLD) {
    symlinkSync(must(`readlink -f bin/${file}`).trim(), `${DIRECTORY}/${file}`)
  }
}

function forbidCold(): void {
  for (const file of COLD) rmSync(`${DIRECTORY}/${file}`, { force: true })
}

async function start(verb = 'start'): Promise<void> {
  systemctl(verb)
  await waitFor('the resident planner', isServed)
}

describe('a resident planner', () => {
  beforeAll(async () => {
    mkdirSync(DIRECTORY)
    cpSync('bin/tsrunc', FRONT)
    must(`bin/tsrunc serve --print-unit >${UNIT}; systemctl daemon-reload`)
    await start()
    for (const { prepare } of ENGINES) prepare()
  })

  afterAll(() => {
    stopDocker()
    systemctl('stop')
    rmSync(UNIT)
    rmSync(DIRECTORY, { recursive: true })
  })

  it.each(ENGINES)('carries out what is asked by $name', async (engine) => {
    const name = `served-${engine.name}`
    call(engine.start, name)
    expect(call(engine.exec, name)).toBe('hello')
    call(engine.remove, name)
    await expectNoTraces([name])
  })

  const whyNot = existsSync('/sys/kernel/security/apparmor/profiles')
    ? ''
    : ' (skipped: --kernel-option security=apparmor has them)'
  describe.skipIf(whyNot !== '')(`profiles of AppArmor${whyNot}`, () => {
    it.each([
      ['who is under one that confines nothing is served', 'unconfined', true],
      ['who is confined is not', 'attach_disconnected', false],
    ])('%s', (_what, flag, isToBe) => {
      const rules = 'file, capability, network, unix, signal, ptrace,'
      const load = (action: string) =>
        must(`echo 'profile asking flags=(${flag}) { ${rules} }' | apparmor_parser -K ${action}`)
      load('--replace')
      expect(sh(`aa-exec -p asking -- ${FRONT} --version`).status === 0).toBe(isToBe)
      load('--remove')
    })
  })

  describe('stopped while containers run', () => {
    afterEach(forbidCold)

    it.each(ENGINES)('harms none of $name', async (engine) => {
      const name = `stopped-${engine.name}`
      call(engine.start, name)
      const pid = call(engine.pid, name)

      systemctl('stop')
      // That there is no other way.
      expect(isServed()).toBe(false)
      expect(call(engine.pid, name)).toBe(pid)
      allowCold()
      expect(call(engine.exec, name)).toBe('hello')
      forbidCold()

      await start()
      expect(call(engine.exec, name)).toBe('hello')
      await start('restart')
      expect(call(engine.exec, name)).toBe('hello')
      systemctl('kill --kill-whom=all --signal=KILL')
      await waitFor('the next one', isServed)
      expect(call(engine.exec, name)).toBe('hello')
      expect(call(engine.pid, name)).toBe(pid)
      call(engine.remove, name)
      await expectNoTraces([name])
    })

    it('fails no command', () => {
      allowCold()
      const output = must(`
        for i in 1 2 3; do sleep 2; systemctl restart tsrunc; done &
        while kill -0 $! 2>/dev/null; do ${podman} run --rm box echo hello; done`)
      expect(new Set(output.trim().split('\n'))).toEqual(new Set(['hello']))
    })
  })
})
