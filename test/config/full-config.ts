/** A valid config that has every member there is, other platforms included. */

const map = [{ containerID: 0, hostID: 100000, size: 65536 }]
const device = { major: 8, minor: 0 }
const throttle = [{ ...device, rate: 1048576 }]
const hook = { path: '/bin/true', args: ['true'], env: ['A=b'], timeout: 5 }
const capabilities = ['CAP_KILL']

const process = {
  terminal: true,
  consoleSize: { height: 25, width: 80 },
  user: { uid: 1, gid: 1, umask: 63, additionalGids: [5, 6], username: 'nobody' },
  args: ['sh', '-c', 'true'],
  commandLine: 'sh',
  env: ['PATH=/bin', 'EMPTY='],
  cwd: '/tmp',
  capabilities: {
    bounding: capabilities,
    effective: capabilities,
    inheritable: capabilities,
    permitted: capabilities,
    ambient: capabilities,
  },
  rlimits: [
    { type: 'RLIMIT_NOFILE', soft: 3, hard: 1024 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
  ],
  noNewPrivileges: true,
  apparmorProfile: 'profile',
  oomScoreAdj: 100,
  scheduler: {
    policy: 'SCHED_DEADLINE',
    nice: 0,
    priority: 0,
    flags: ['SCHED_FLAG_RECLAIM'],
    runtime: 1000,
    deadline: 2000,
    period: 3000,
  },
  selinuxLabel: 'a:b:c',
  ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
  execCPUAffinity: { initial: '0-1', final: '1, 3' },
}

const resources = {
  devices: [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: -1 },
  ],
  memory: {
    limit: 1000000,
    reservation: 500000,
    swap: 2000000,
    kernel: -1,
    kernelTCP: -1,
    swappiness: 60,
    disableOOMKiller: false,
    useHierarchy: true,
    checkBeforeUpdate: false,
  },
  cpu: {
    shares: 1024,
    quota: -1,
    burst: 100,
    period: 100000,
    realtimeRuntime: 950000,
    realtimePeriod: 1000000,
    cpus: '0-1',
    mems: '0',
    idle: 0,
  },
  pids: { limit: 100 },
  blockIO: {
    weight: 100,
    leafWeight: 100,
    weightDevice: [{ ...device, weight: 500, leafWeight: 300 }],
    throttleReadBpsDevice: throttle,
    throttleWriteBpsDevice: throttle,
    throttleReadIOPSDevice: throttle,
    throttleWriteIOPSDevice: throttle,
  },
  hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }],
  network: { classID: 1048577, priorities: [{ name: 'eth0', priority: 500 }] },
  rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
  unified: { 'memory.high': '1000000' },
}

const linux = {
  namespaces: [
    ...['pid', 'ipc', 'uts', 'mount', 'user', 'cgroup', 'time'].map((type) => ({ type })),
    { type: 'network', path: '/run/netns/blue' },
  ],
  uidMappings: map,
  gidMappings: map,
  timeOffsets: { monotonic: { secs: 172800, nanosecs: 0 }, boottime: { secs: -1, nanosecs: 5 } },
  devices: [
    { type: 'c', path: '/dev/fuse', ...device, fileMode: 438, uid: 0, gid: 0 },
    { type: 'p', path: '/dev/pipe' },
  ],
  netDevices: { eth1: { name: 'blue0' } },
  cgroupsPath: '/here/there',
  resources,
  intelRdt: {
    closID: 'group',
    schemata: ['L3:0=f'],
    l3CacheSchema: 'L3:0=f',
    memBwSchema: 'MB:0=20',
    enableMonitoring: true,
  },
  memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] },
  sysctl: { 'net.ipv4.ip_forward': '1', 'kernel/shmmax': '68719476736' },
  seccomp: {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: ['SCMP_ARCH_X86_64'],
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    listenerPath: '/run/agent.sock',
    listenerMetadata: 'text',
    syscalls: [
      {
        names: ['getcwd'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 38,
        args: [{ index: 0, value: 2080505856, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
    ],
  },
  rootfsPropagation: 'slave',
  maskedPaths: ['/proc/kcore'],
  readonlyPaths: ['/proc/sys'],
  mountLabel: 'a:b:c',
  personality: { domain: 'LINUX', flags: [] },
}

const otherPlatforms = {
  vm: {
    hypervisor: { path: '/bin/vmm', parameters: ['a'] },
    kernel: { path: '/vmlinuz', parameters: ['a'], initrd: '/initrd' },
    image: { path: '/image', format: 'raw' },
    hwConfig: {
      deviceTree: '/tree',
      vcpus: 2,
      memory: 1024,
      dtdevs: ['a'],
      iomems: [{ firstGFN: 1, firstMFN: 2, nrMFNs: 3 }],
      irqs: [1],
    },
  },
  windows: {
    layerFolders: ['C:\\layer'],
    devices: [{ id: 'x', idType: 'class' }],
    resources: {
      memory: { limit: 1 },
      cpu: { count: 1, shares: 1, maximum: 1, affinity: { mask: 1, group: 0 } },
      storage: { iops: 1, bps: 1, sandboxSize: 1 },
    },
    network: {
      endpointList: ['a'],
      allowUnqualifiedDNSQuery: true,
      DNSSearchList: ['a'],
      networkSharedContainerName: 'a',
      networkNamespace: 'a',
    },
    credentialSpec: { any: 1 },
    servicing: true,
    ignoreFlushesDuringBoot: true,
    hyperv: { utilityVMPath: 'a' },
  },
  zos: { namespaces: [{ type: 'pid', path: '/a' }] },
  freebsd: {
    devices: [{ path: 'null', mode: 438 }],
    jail: {
      parent: 'p',
      host: 'new',
      ip4: 'disable',
      ip4Addr: ['10.0.0.1'],
      ip6: 'inherit',
      ip6Addr: ['::1'],
      vnet: 'new',
      interface: 'em0',
      vnetInterfaces: ['em0'],
      sysvmsg: 'new',
      sysvsem: 'new',
      sysvshm: 'new',
      enforceStatfs: 1,
      allow: {
        setHostname: true,
        rawSockets: true,
        chflags: true,
        mount: ['a'],
        quotas: true,
        socketAf: true,
        mlock: true,
        reservedPorts: true,
        suser: true,
      },
    },
  },
  solaris: {
    milestone: 'a',
    limitpriv: 'a',
    maxShmMemory: 'a',
    cappedCPU: { ncpus: '1' },
    cappedMemory: { physical: '1', swap: '1' },
    anet: [
      {
        linkname: 'a',
        lowerLink: 'a',
        allowedAddress: 'a',
        configureAllowedAddress: 'a',
        defrouter: 'a',
        macAddress: 'a',
        linkProtection: 'a',
      },
    ],
  },
}

export const fullConfig = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs', readonly: true },
  process,
  hostname: 'web1',
  domainname: 'example',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/data',
      source: '/srv',
      options: ['rbind', 'ro'],
      uidMappings: map,
      gidMappings: map,
    },
  ],
  hooks: {
    prestart: [hook],
    createRuntime: [hook],
    createContainer: [hook],
    startContainer: [hook],
    poststart: [hook],
    poststop: [hook],
  },
  annotations: { 'org.example.key': 'value' },
  linux,
  ...otherPlatforms,
}
