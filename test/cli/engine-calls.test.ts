/** Command lines as engines write them: each must be understood. What they do is tested elsewhere. */
import { describe, expect, it } from 'vitest'
import { describeProgram, parseInvocation } from '../../src/cli/program.ts'
import { hasReference, readReferenceText } from '../config/reference.ts'

const COMMANDS = (await describeProgram()).map((command) => command.name().split(' ')[1] ?? '')

function parse(words: readonly string[]) {
  const argv = ['tsrunc', ...words]
  return parseInvocation({
    argv,
    env: new Map(),
    limits: {},
    descriptors: [],
    pid: 1,
    residentSocket: '',
  })
}

/** `--root R create ID`: the first word that is a command. */
function commandOf(words: readonly string[]): string | undefined {
  return words.find((word) => COMMANDS.includes(word))
}

/** From the sources of containerd's go-runc, of conmon, Podman, CRI-O, conmon-rs and BuildKit. */
const CALLS = `
--root R --debug --log F --log-format json --systemd-cgroup --rootless=true create --bundle B --pid-file B/init.pid --console-socket S --pidfd-socket P --no-pivot --no-new-keyring --detach --preserve-fds 2 ID
--root R --log F --log-format json start ID
--root R --log F --log-format json exec --process /tmp/runc-process1 --console-socket S --pidfd-socket P --detach --pid-file B/e.pid ID
--root R --log F --log-format json run --bundle B --no-pivot ID
--root R --log F --log-format json kill --all ID 9
--root R --log F --log-format json kill ID 15
--root R --log F --log-format json delete --force ID
--root R --log F --log-format json pause ID
--root R --log F --log-format json resume ID
--root R --log F --log-format json state ID
--root R --log F --log-format json ps --format json ID
--root R --log F --log-format json list --format=json
--root R --log F --log-format json events --stats ID
--root R --log F --log-format json events --interval=5s ID
--root R --log F --log-format json update --resources=- ID
--root R --log F --log-format json checkpoint --image-path P --work-path W --parent-path Q --tcp-established --ext-unix-sk --shell-job --page-server A --file-locks --manage-cgroups-mode soft --empty-ns network --empty-ns ipc --lazy-pages --status-fd 3 --leave-running --pre-dump ID
--root R --log F --log-format json restore --image-path P --work-path W --tcp-established --detach --pid-file F --console-socket S --no-pivot -no-subreaper --bundle B ID
features
--version
--systemd-cgroup create --bundle B --pid-file F --no-pivot --no-new-keyring --console-socket S ID
--log-format=json --log OCILOG create --bundle B --pid-file F ID
--cgroup-manager disabled create --bundle B --pid-file F ID
--systemd-cgroup restore --bundle B --pid-file F --detach --image-path P --work-path B --tcp-established --tcp-close --file-locks --lsm-mount-context=X --lsm-profile=selinux:X ID
exec --pid-file F --process SPEC --detach --preserve-fds 1 --console-socket S ID
kill --all ID 9
update --resources=/tmp/resources ID
checkpoint --image-path P --work-path B --leave-running --tcp-established --file-locks --pre-dump --parent-path ../pre ID
checkpoint --help
--root=ROOT --systemd-cgroup kill ID SIGTERM
--root ROOT kill -a ID 9
--root ROOT kill ID KILL
--root ROOT update --resources - ID
--root ROOT exec --process F ID
--root ROOT checkpoint --file-locks --image-path P --work-path W --leave-running ID
--log=journald:ID --log-level=warning --root=R --systemd-cgroup --root=R --systemd-cgroup create --bundle B --pid-file F --console-socket=S ID
--root=R --systemd-cgroup --root=R --systemd-cgroup exec -d --console-socket=S --tty --pid-file=F ID sh -c true
--log D/runc-log.json --log-format json run --bundle B --no-pivot --keep ID
--log D/runc-log.json --log-format json exec --process F --pid-file F ID
--systemd-cgroup create --bundle B --pid-file B/pid --console-socket S NAME
`
  .trim()
  .split('\n')
  .map((line) => line.split(' '))

describe('calls of engines', () => {
  for (const words of CALLS) {
    const why =
      commandOf(words) === undefined && !words.includes('--version')
        ? ' (skipped: there is no such command yet)'
        : ''
    it.skipIf(why !== '')(`${words.join(' ')}${why}`, async () => {
      const { subject } = await parse(words)
      const id = words.find((word) => ['ID', 'NAME'].includes(word))
      if (!words.includes('--help')) {
        expect(subject).toBe([commandOf(words), id].filter(Boolean).join(' '))
      }
    })
  }

  it('--root counts when it is given once more', async () => {
    const { globals } = await parse(['--root=/a', '--debug', '--root=/b', '--debug', 'list'])
    expect(globals).toMatchObject({ root: '/b', logLevel: 'debug' })
  })

  it('--systemd-cgroup=false is none', async () => {
    const { globals } = await parse(['-systemd-cgroup=false', 'list'])
    expect(globals.cgroupManager).toBe('cgroupfs')
    const systemd = await parse(['--systemd-cgroup', 'list'])
    expect(systemd.globals.cgroupManager).toBe('systemd')
  })

  it('restore is asked without a value, and says what Podman looks for', async () => {
    await expect(parse(['restore', '--lsm-mount-context'])).rejects.toThrow('requires an argument')
  })

  it('checkpoint and restore say that they are not supported yet', async () => {
    for (const command of ['checkpoint', 'restore']) {
      const { run } = await parse([command, 'ID'])
      expect(() => run({} as never)).toThrow(`${command} is not supported yet`)
    }
  })
})

describe('calls that were recorded', () => {
  const recorded = readReferenceText('engine-configs/calls.txt').matchAll(/^(\S+): (.*)$/gm)
  const calls = [...recorded].map(([, engine = '', line = '']) => ({ engine, line }))

  it.skipIf(!hasReference)('there are some', () => {
    expect(calls.length).toBeGreaterThan(30)
  })

  it.skipIf(!hasReference)('each is understood', async () => {
    for (const { engine, line } of calls) {
      const words = line.split(' ')
      const command = commandOf(words)
      if (command === undefined) continue
      const { subject } = await parse(words)
      expect(subject, `${engine}: ${line}`).toMatch(new RegExp(`^${command}( [0-9a-z]+)?$`))
    }
  })
})
