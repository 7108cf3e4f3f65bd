/** Terminals of containers: of `run` in the foreground, and of those that a caller holds. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hasReference, readReference } from '../config/reference.ts'
import type { Config } from './config.ts'
import {
  createBundle,
  describeContainers,
  freshId,
  invoke,
  type Patch,
  waitForStatus,
  waitUntil,
} from './rig.ts'
import { COOKED, ONE_MASTER, pause, receive, run, untilRaw, withPrograms } from './terminal-rig.ts'

describeContainers('a terminal in the foreground', (runtime) => {
  it('is that of a shell, and restored after it', async () => {
    const { program } = await run(runtime, ['sh'])
    await program.shows(/\$ $/)
    program.type('stty size; tty; stat -Lc "%t:%u:%g:%a" /dev/console /proc/self/fd/0 /dev/tty\r')
    await program.shows(/24 80\r\n\/dev\/pts\/0\r\n88:0:5:620\r\n88:0:5:620\r\n5:0:0:666/)
    program.resize(33, 111)
    program.type('stty size\r')
    await program.shows(/33 111\r\n/)
    program.type('exit 3\r')
    expect(await program.ended).toBe('exit 3')
    expect(await program.modes()).toEqual(COOKED)
  })

  it('is given to the user of the process', async () => {
    const { program } = await run(runtime, ['sh'], (config) => {
      config.process.user = { uid: 1000, gid: 1001 }
    })
    await program.shows(/\$ $/)
    program.type('stat -Lc "%u:%g:%a" /dev/console /proc/self/fd/2; echo a >/dev/console\r')
    await program.shows(/1000:5:620\r\n1000:5:620\r\na\r\n/)
    program.type('exit\r')
    expect(await program.ended).toBe('exit 0')
  })

  it('has job control: Ctrl-C and Ctrl-Z reach what runs', async () => {
    const { program } = await run(runtime, ['bash', '--norc'])
    await program.shows(/\$ $/)
    program.type('sleep 60; echo st""ill-here $?\r')
    await pause(300)
    program.type('\x03')
    // A list is given up with its command.
    program.type('echo a""lone $?\r')
    await program.shows(/alone 130/)
    program.type('sleep 61\r')
    await pause(300)
    program.type('\x1a')
    await program.shows(/Stopped/)
    program.type('kill -9 %1; exit 4\r')
    await program.shows(/exit/)
    program.type('exit 4\r')
    expect(await program.ended).toBe('exit 4')
  })

  it('shows a full-screen program as an editor is one', async () => {
    const { program } = await run(runtime, ['/probe', 'edit'])
    await program.shows(/.\[\?1049h.\[2J.*.\[12;1H24x80/)
    // What a cooked terminal would keep, change, echo or make a signal of.
    for (const key of ['a', '\r', '\n', '\x03', '\x04', '\x11', '\x1a', '\x1b', '\x7f', '\xff']) {
      const hex = Buffer.from(key).toString('hex').match(/../g)?.join('><')
      const before = program.screen()
      program.type(key)
      await program.shows(new RegExp(`<${hex}>$`))
      expect(program.screen()).toBe(`${before}<${hex}>`)
    }
    program.resize(40, 132)
    await program.shows(/.\[20;1H40x132$/)
    program.type('q')
    await program.shows(/<71>.\[\?1049l0\]\r\n$/)
    expect(await program.ended).toBe('exit 0')
    expect(await program.modes()).toEqual(COOKED)
  })

  it('is restored when the container is killed', async () => {
    const { program, id } = await run(runtime, ['sleep', '60'])
    await untilRaw(program)
    expect(invoke(runtime, ['kill', id, 'KILL']).status).toBe(0)
    expect(await program.ended).toBe('exit 137')
    expect(await program.modes()).toEqual(COOKED)
  })

  it.each(['SIGTERM', 'SIGHUP'] as const)('is restored when %s reaches us', async (signal) => {
    const script = 'trap "exit 9" TERM HUP; echo ready; while :; do sleep 0.1; done'
    const { program } = await run(runtime, ['sh', '-c', script])
    await program.shows(/ready/)
    await untilRaw(program)
    process.kill(program.pid, signal)
    expect(await program.ended).toBe('exit 9')
    expect(await program.modes()).toEqual(COOKED)
  })

  it('ends with the terminal that is closed', async () => {
    const { program, id } = await run(runtime, ['bash', '--norc'])
    await program.shows(/\$ $/)
    program.close()
    // By the signal, or by the end of its input: bash's versions differ.
    expect(await program.ended).toMatch(/^exit (0|1|129)$/)
    expect(invoke(runtime, ['state', id]).stderr).toContain('does not exist')
  })

  // runc and crun look for it in the container alone.
  it.skipIf(runtime.name === 'runc')('is there without a devpts in the container', async () => {
    const { program } = await run(runtime, ['sh'], (config) => {
      config.mounts = config.mounts.filter(({ type }) => type !== 'devpts')
    })
    await program.shows(/\$ $/)
    program.type('tty; stty size; echo b >/dev/console; exit 2\r')
    await program.shows(/\/dev\/console\r\n24 80\r\nb\r\n/)
    expect(await program.ended).toBe('exit 2')
  })

  it.skipIf(runtime.name === 'runc')('is not taken from a /dev/pts that is no devpts', async () => {
    const { program } = await run(runtime, ['sh'], (config) => {
      config.mounts = config.mounts.map((mount) =>
        mount.type === 'devpts'
          ? { ...mount, type: 'none', source: '/tmp', options: ['bind'] }
          : mount,
      )
    })
    expect(await program.ended).toBe('exit 1')
    expect(program.screen()).toMatch(/\/process\/terminal: .*\/dev\/pts is no devpts/)
  })

  const [example] = hasReference
    ? readReference('.').filter(({ name }) => name === 'user-example-config.json')
    : []
  it.skipIf(example === undefined || runtime.name === 'runc')(
    "opens a user's shell, whose config has no devpts",
    async () => {
      const { program } = await run(runtime, [], (config) => {
        const { cgroupsPath } = config.linux
        const usr = config.mounts.at(-1)
        Object.assign(config, JSON.parse(example?.text ?? '') as Config)
        config.linux.cgroupsPath = String(cgroupsPath)
        if (usr !== undefined) config.mounts.push(usr)
        delete config.linux.seccomp
      })
      await program.shows(/# $/)
      program.type('hostname; tty; exit 6\r')
      await program.shows(/my-container\r\n\/dev\/console\r\n/)
      expect(await program.ended).toBe('exit 6')
    },
  )
})

describeContainers('a console socket', (runtime) => {
  function call(command: readonly string[], patch: Patch) {
    const bundle = createBundle(patch)
    const id = freshId(runtime)
    const [name = '', ...flags] = command
    return { id, bundle, ...invoke(runtime, [name, ...flags, '--bundle', bundle.directory, id]) }
  }

  it('takes the master: one connection, one message, one fd; the size is that of the config', async () => {
    const receiver = await receive()
    const script = 'tty > /tmp/told; stty size >> /tmp/told; sleep 60'
    const patch = withPrograms(['sh', '-c', script], (config) => {
      config.process.consoleSize = { height: 21, width: 71 }
    })
    const command = ['create', '--console-socket', receiver.socket]
    const { id, bundle, status, stderr } = call(command, patch)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(await receiver.finish()).toEqual(ONE_MASTER)
    expect(invoke(runtime, ['start', id]).status).toBe(0)
    const told = join(bundle.rootfs, 'tmp/told')
    await waitUntil('the size', () => existsSync(told) && readFileSync(told, 'utf8').includes('71'))
    expect(readFileSync(told, 'utf8')).toBe('/dev/pts/0\n21 71\n')
  })

  it('that is closed hangs the container up', async () => {
    const { close, socket } = await receive()
    const { id, status } = call(
      ['run', '--detach', '--console-socket', socket],
      withPrograms(['bash', '--norc']),
    )
    expect(status).toBe(0)
    close()
    await waitForStatus(runtime, id, 'stopped')
  })

  const cannotAllocate = 'cannot allocate tty if runc will detach without setting console socket'
  const cannotUse = 'cannot use console socket if runc will not detach or allocate tty'
  it.each([
    [['create'], true, cannotAllocate],
    [['run', '--detach'], true, cannotAllocate],
    [['create', '--console-socket', '/nowhere'], false, cannotUse],
    [['run', '--detach', '--console-socket', '/nowhere'], false, cannotUse],
    [['run', '--console-socket', '/nowhere'], true, cannotUse],
  ] as const)('%s with a terminal: %s is refused', (command, terminal, words) => {
    const { status, stderr } = call(command, (config) => {
      config.process.terminal = terminal
    })
    expect(status).toBe(1)
    expect(stderr).toContain(words)
  })

  it('where nobody listens is an error, and nothing is left', () => {
    const { id, status, stderr } = call(
      ['create', '--console-socket', '/nowhere'],
      withPrograms(['sh']),
    )
    expect(status).toBe(1)
    expect(stderr).toContain('/nowhere')
    expect(invoke(runtime, ['state', id]).stderr).toContain('does not exist')
  })
})
