/** What Kubernetes does: pods by containerd's CRI plugin, with the configuration of the README. */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { type Answer, type CriClient, execStream, openCri } from './cri.ts'
import { describeEngine, makeRootfs, must, ROOTFS_TAR, type Runtime, readmeBlock } from './rig.ts'

const IMAGE = 'localhost/pod:latest'
const CONFIG = '/etc/containerd/config.toml'
const UNIT = '/etc/systemd/system/containerd.service.d/tested.conf'
const SOCKET = '/run/containerd/containerd.sock'
const NETWORKS = '/etc/cni/net.d'
const SLICE = 'tsrunc-pods.slice'
const [CREATED, RUNNING, EXITED] = [0, 1, 2]
const MEBIBYTE = 1 << 20
let counter = 0

type Status = NonNullable<Answer['status']>

const isOver = ({ state }: Status) => state === EXITED

interface Containerd {
  readonly name: string
  /** Where its configuration stands among the README's. */
  readonly block: number
  /** What a node without a registry needs besides. */
  readonly config: string
  /** What makes of Debian's service this one; its data are its own. */
  readonly service: string
  readonly version: RegExp
  readonly isNewer: boolean
}

const CONTAINERDS: readonly Containerd[] = [
  {
    name: 'CRI of containerd 1.7',
    block: 1,
    config: `
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${IMAGE}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${NETWORKS}"`,
    service: '',
    version: /^1\.7/,
    isNewer: false,
  },
  {
    name: 'CRI of containerd 2',
    block: 0,
    config: `
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${IMAGE}"`,
    service: `[Service]
ExecStart=
ExecStart=/opt/containerd-2/containerd --root /var/lib/containerd-2
Environment=PATH=/opt/containerd-2:/usr/sbin:/usr/bin`,
    version: /^2\./,
    isNewer: true,
  },
]

function configure({ block, config }: Containerd, runtime: Runtime): string {
  const readme = readmeBlock('containerd and Kubernetes', block)
  return readme.replace('/usr/local/bin/tsrunc', runtime.path) + config
}

const NETWORK = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'pods0',
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/24' }]] },
    },
  ],
})

for (const containerd of CONTAINERDS) {
  describeEngine(containerd.name, (runtime) => definePods(containerd, runtime))
}

function definePods(containerd: Containerd, runtime: Runtime): void {
  let cri: CriClient
  /** The pod of all containers that need none of their own. */
  let shared: string

  beforeAll(async () => {
    makeRootfs()
    must(`
      mkdir -p $(dirname ${UNIT}) ${NETWORKS}
      cat >${UNIT} <<'UNIT'\n${containerd.service}\nUNIT
      systemctl daemon-reload
      systemctl start containerd
      ctr -n k8s.io image ls -q | grep -q ${IMAGE} || {
        podman import -q --change 'CMD ["sleep","1000000"]' --change 'ENV PATH=/bin' ${ROOTFS_TAR} pod
        podman save -q --format oci-archive -o /tmp/pod.tar pod
        ctr -n k8s.io image import --digests=true /tmp/pod.tar >/dev/null
        ctr -n k8s.io image ls -q | grep -q ${IMAGE} || ctr -n k8s.io image import /tmp/pod.tar
      }
      cp -a ${CONFIG} /tmp/config.toml
      cat >${NETWORKS}/10-pods.conflist <<'NETWORK'\n${NETWORK}\nNETWORK
      cat >${CONFIG} <<'CONFIG'\n${configure(containerd, runtime)}\nCONFIG
      systemctl restart containerd`)
    cri = await openCri(SOCKET)
    shared = await runPod(sharedConfig)
  })

  afterAll(async () => {
    await removePod(shared)
    cri.close()
    must(`
      rm ${NETWORKS}/10-pods.conflist; mv /tmp/config.toml ${CONFIG}
      systemctl stop containerd
      rm ${UNIT}; systemctl daemon-reload`)
  })

  const podConfig = (namespaces: object = {}) => ({
    metadata: { name: `pod-${++counter}`, uid: `uid-${counter}`, namespace: 'default' },
    hostname: 'pod',
    logDirectory: '/tmp/pod-logs',
    linux: {
      cgroupParent: SLICE,
      securityContext: { namespaceOptions: { pid: 'CONTAINER', ...namespaces } },
    },
  })

  type PodConfig = ReturnType<typeof podConfig>

  const sharedConfig = podConfig()

  async function runPod(config: PodConfig): Promise<string> {
    const answer = await cri.call('RunPodSandbox', { config, runtimeHandler: 'tsrunc' })
    return answer.podSandboxId ?? ''
  }

  async function removePod(podSandboxId: string): Promise<void> {
    await cri.call('StopPodSandbox', { podSandboxId })
    await cri.call('RemovePodSandbox', { podSandboxId })
  }

  /** A container in the pod that is shared, or in one of its own; it is removed. */
  async function withContainer(
    settings: {
      readonly config?: PodConfig
      readonly command?: readonly string[]
      readonly [setting: string]: unknown
    },
    use: (container: string) => Promise<void>,
  ): Promise<void> {
    const { config = sharedConfig, command = ['sleep', '1000'], ...rest } = settings
    const podSandboxId = config === sharedConfig ? shared : await runPod(config)
    const name = `c${++counter}`
    const { containerId = '' } = await cri.call('CreateContainer', {
      podSandboxId,
      sandboxConfig: config,
      config: { metadata: { name }, image: { image: IMAGE }, command, logPath: name, ...rest },
    })
    try {
      expect((await look(containerId)).state).toBe(CREATED)
      await cri.call('StartContainer', { containerId })
      await use(containerId)
    } finally {
      await cri.call('StopContainer', { containerId, timeout: 0 })
      await cri.call('RemoveContainer', { containerId })
      if (podSandboxId !== shared) await removePod(podSandboxId)
    }
  }

  async function look(containerId: string): Promise<Status> {
    const { status } = await cri.call('ContainerStatus', { containerId })
    if (status === undefined) throw new Error(`no status of ${containerId}`)
    return status
  }

  async function execute(containerId: string, ...cmd: string[]) {
    const { stdout = '', stderr = '', exitCode } = await cri.call('ExecSync', { containerId, cmd })
    const text = (bytes: string) => Buffer.from(bytes, 'base64').toString()
    return { stdout: text(stdout), stderr: text(stderr), exitCode }
  }

  it('answers', async () => {
    const { runtimeName, runtimeVersion } = await cri.call('Version', {})
    expect(runtimeName).toBe('containerd')
    expect(runtimeVersion).toMatch(containerd.version)
  })

  it('a handler that is not configured is refused', async () => {
    const request = { config: podConfig(), runtimeHandler: 'nothing' }
    await expect(cri.call('RunPodSandbox', request)).rejects.toThrow(/nothing/)
  })

  it('a container runs in a pod with a network, under the runtime of the handler', () =>
    withContainer({}, async (container) => {
      expect((await look(container)).state).toBe(RUNNING)
      const { Runtime } = JSON.parse(must(`ctr -n k8s.io containers info ${container}`))
      expect(Buffer.from(Runtime.Options.value, 'base64').toString()).toContain(runtime.path)
      expect((await execute(container, 'hostname')).stdout).toBe('pod\n')
      expect((await execute(container, 'ip', '-4', 'addr')).stdout).toMatch(/inet 10\.99\.0\./)
    }))

  it('containers of a pod share its ipc and network namespaces, and one pid namespace if asked', () => {
    const config = podConfig({ pid: 'POD' })
    return withContainer({ config }, async (container) => {
      const { stdout } = await execute(container, 'cat', '/proc/1/cmdline')
      expect(stdout).toBe('sleep\x001000000\0')
    })
  })

  it('ExecSync brings output, errors and status', () =>
    withContainer({}, async (container) => {
      const result = await execute(container, 'sh', '-c', 'echo out; echo err >&2; exit 7')
      expect(result).toEqual({ stdout: 'out\n', stderr: 'err\n', exitCode: 7 })
    }))

  it('a streaming exec takes input, and its status comes last', () =>
    withContainer({}, async (containerId) => {
      const cmd = ['sh', '-c', 'read line; echo "got $line"; exit 3']
      const streams = { stdin: true, stdout: true, stderr: true }
      const { url = '' } = await cri.call('Exec', { containerId, cmd, ...streams })
      const { stdout, end } = await execStream(url, 'text\n')
      expect(stdout).toBe('got text\n')
      expect(end).toContain('"message":"3"')
    }))

  it('a streaming exec with a terminal', () =>
    withContainer({}, async (containerId) => {
      const streams = { tty: true, stdin: true, stdout: true }
      const { url = '' } = await cri.call('Exec', { containerId, cmd: ['tty'], ...streams })
      expect((await execStream(url, '')).stdout).toMatch(/\/dev\/pts\/\d+/)
    }))

  describe('resources', () => {
    const resources = { cpuPeriod: 100_000, cpuQuota: 50_000, memoryLimitInBytes: 64 * MEBIBYTE }

    it('limits are in force, and an update of them', () =>
      withContainer({ linux: { resources } }, async (containerId) => {
        const read = async (name: string) =>
          (await execute(containerId, 'cat', `/sys/fs/cgroup/${name}`)).stdout.trim()
        expect(await read('memory.max')).toBe(String(64 * MEBIBYTE))
        expect(await read('cpu.max')).toBe('50000 100000')
        await cri.call('UpdateContainerResources', {
          containerId,
          linux: { cpuPeriod: 100_000, cpuQuota: 20_000, memoryLimitInBytes: 96 * MEBIBYTE },
        })
        expect(await read('memory.max')).toBe(String(96 * MEBIBYTE))
        expect(await read('cpu.max')).toBe('20000 100000')
      }))

    it('statistics are read', () =>
      withContainer({ linux: { resources } }, async (containerId) => {
        // Where CPU time is counted by ticks, a start may take none.
        await execute(containerId, 'sh', '-c', 'for i in $(seq 50000); do :; done')
        const { stats } = await cri.call('ContainerStats', { containerId })
        expect(Number(stats?.memory.workingSetBytes.value)).toBeGreaterThan(0)
        expect(Number(stats?.cpu.usageCoreNanoSeconds.value)).toBeGreaterThan(0)
      }))

    // The first process lives on, also where the kernel kills a second time before memory is free:
    // containerd may miss why a cgroup's last one ended.
    it('who takes too much is told to be OOMKilled', () => {
      const script =
        '(echo 1000 >/proc/self/oom_score_adj; x=x; while :; do x=$x$x; done); sleep 2; exit 7'
      return withContainer(
        { linux: { resources }, command: ['sh', '-c', script] },
        async (container) => {
          const status = await waitFor(container, isOver)
          expect(status).toMatchObject({ exitCode: 7, reason: 'OOMKilled' })
        },
      )
    })
  })

  async function waitFor(container: string, isSo: (status: Status) => boolean): Promise<Status> {
    for (let i = 0; ; i++) {
      const status = await look(container)
      if (isSo(status)) return status
      if (i === 150) throw new Error(`waited in vain: ${JSON.stringify(status)}`)
      await new Promise((wake) => setTimeout(wake, 200))
    }
  }

  it('the exit status of a container', () =>
    withContainer({ command: ['sh', '-c', 'exit 9'] }, async (container) => {
      expect(await waitFor(container, isOver)).toMatchObject({ exitCode: 9, reason: 'Error' })
    }))

  it.each([
    ['waits for one that ends by TERM', 'exit 5', 60, 5],
    ['kills one that stays', ':', 1, 137],
  ])('StopContainer %s', (_, onTerm, timeout, exitCode) => {
    const script = `trap '${onTerm}' TERM; echo >/tmp/ready; while :; do sleep 0.1; done`
    return withContainer({ command: ['sh', '-c', script] }, async (containerId) => {
      while ((await execute(containerId, 'test', '-e', '/tmp/ready')).exitCode !== 0);
      await cri.call('StopContainer', { containerId, timeout })
      expect(await look(containerId)).toMatchObject({ state: EXITED, exitCode })
    })
  })

  it('a command that is not there fails to start, and says so', async () => {
    const running = withContainer({ command: ['nowhere'] }, async () => {})
    await expect(running).rejects.toThrow(/nowhere.*not found/)
  })

  it('the security context: user, read-only root, no new privileges, seccomp', () => {
    const securityContext = {
      runAsUser: { value: 1000 },
      readonlyRootfs: true,
      noNewPrivs: true,
      seccomp: { profileType: 'RuntimeDefault' },
    }
    return withContainer({ linux: { securityContext } }, async (container) => {
      expect((await execute(container, 'id', '-u')).stdout).toBe('1000\n')
      expect((await execute(container, 'touch', '/file')).stderr).toContain('Read-only')
      const { stdout } = await execute(container, 'cat', '/proc/self/status')
      expect(stdout).toMatch(/NoNewPrivs:\t1\n[\s\S]*Seccomp:\t2\n/)
    })
  })

  it('a mount that is read-only', () => {
    must('mkdir -p /tmp/volume; echo text >/tmp/volume/file')
    const mounts = [{ containerPath: '/volume', hostPath: '/tmp/volume', readonly: true }]
    return withContainer({ mounts }, async (container) => {
      expect((await execute(container, 'cat', '/volume/file')).stdout).toBe('text\n')
      expect((await execute(container, 'touch', '/volume/file')).stderr).toContain('Read-only')
    })
  })

  /** What a kubelet asks of a handler; containerd 2 has it from the runtime's `features`. */
  async function findFeatures() {
    const { runtimeHandlers = [] } = await cri.call('Status', {})
    return { ...runtimeHandlers.find(({ name }) => name === 'tsrunc')?.features }
  }

  describe('a mount below one', () => {
    const mount = { containerPath: '/tree', hostPath: '/tmp/tree', readonly: true }
    const touch = (container: string) => execute(container, 'touch', '/tree/sub/file')

    beforeAll(() => {
      must('mkdir -p /tmp/tree/sub; mount -t tmpfs none /tmp/tree/sub')
    })
    afterAll(() => {
      must('umount /tmp/tree/sub')
    })

    it('that is read-only is written to', () =>
      withContainer({ mounts: [mount] }, async (container) => {
        expect((await execute(container, 'touch', '/tree/file')).stderr).toContain('Read-only')
        expect((await touch(container)).exitCode).toBe(0)
      }))

    const recursive = { mounts: [{ ...mount, recursiveReadOnly: true }] }
    if (containerd.isNewer) {
      it('that is recursively read-only is not written to', async () => {
        expect((await findFeatures()).recursiveReadOnlyMounts).toBe(true)
        await withContainer(recursive, async (container) => {
          expect((await execute(container, 'touch', '/tree/file')).stderr).toContain('Read-only')
          expect((await touch(container)).stderr).toContain('Read-only')
        })
      })
    } else {
      it('that is to be recursively read-only is written to: no handler has it', async () => {
        expect(await findFeatures()).toEqual({})
        await withContainer(recursive, async (container) => {
          expect((await touch(container)).exitCode).toBe(0)
        })
      })
    }
  })

  it('a privileged container in namespaces of the node', () => {
    const config = { ...podConfig({ network: 'NODE', pid: 'NODE', ipc: 'NODE' }), hostname: '' }
    const context = { ...config.linux.securityContext, privileged: true }
    config.linux.securityContext = context
    return withContainer({ config, linux: { securityContext: context } }, async (container) => {
      expect((await execute(container, 'hostname')).stdout).toBe(must('hostname'))
      expect((await execute(container, 'cat', '/proc/1/comm')).stdout).toBe('systemd\n')
      expect((await execute(container, 'ls', '/sys/class/net')).stdout).toContain('pods0')
      const { stdout } = await execute(container, 'grep', 'CapEff', '/proc/self/status')
      expect(stdout).toContain('1ffffffffff')
    })
  })

  describe('a pod in a user namespace', () => {
    const map = [{ hostId: 200_000, containerId: 0, length: 65_536 }]
    const usernsOptions = { mode: 'POD', uids: map, gids: map }
    const withMapped = async (
      { skip }: TestContext,
      mounts: readonly object[],
      use: (container: string) => Promise<void>,
    ) => {
      if (containerd.isNewer) {
        const { userNamespaces } = await findFeatures()
        if (!userNamespaces && runtime.name === 'runc')
          skip('containerd 2 wants a runtime with idmapped mounts, which runc has from 1.2 on')
        expect(userNamespaces).toBe(true)
      }
      const config = podConfig({ usernsOptions })
      const { namespaceOptions } = config.linux.securityContext
      const linux = { securityContext: { namespaceOptions } }
      await withContainer({ config, linux, mounts }, use)
    }

    it('has the ids that it is given', (context) =>
      withMapped(context, [], async (container) => {
        const { stdout } = await execute(container, 'cat', '/proc/self/uid_map')
        expect(stdout.trim().split(/\s+/)).toEqual(['0', '200000', '65536'])
        expect((await execute(container, 'touch', '/tmp/file')).exitCode).toBe(0)
      }))

    if (!containerd.isNewer) return
    const volume = {
      ...{ containerPath: '/volume', hostPath: '/tmp/owned', uidMappings: map, gidMappings: map },
      ...{ readonly: true, recursiveReadOnly: true },
    }
    it("has a volume whose owners are the host's, recursively read-only", (context) => {
      must('mkdir -p /tmp/owned/sub; chown 7:8 /tmp/owned; mount -t tmpfs none /tmp/owned/sub')
      return withMapped(context, [volume], async (container) => {
        const { stdout } = await execute(container, 'stat', '-c', '%u:%g', '/volume')
        expect(stdout).toBe('7:8\n')
        expect((await execute(container, 'touch', '/volume/sub/f')).stderr).toContain('Read-only')
      }).finally(() => must('umount /tmp/owned/sub'))
    })
  })

  it('a restart of containerd', () =>
    withContainer({}, async (container) => {
      cri.close()
      must('systemctl restart containerd')
      cri = await openCri(SOCKET)
      expect((await look(container)).state).toBe(RUNNING)
      expect((await execute(container, 'echo', 'hello')).stdout).toBe('hello\n')
    }))
}
