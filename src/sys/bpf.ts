/** bpf(2): device filters of cgroups, by fd. */
import { addressOf, callKernel } from './ffi.ts'

/** enum bpf_cmd */
const COMMAND = { load: 5, attach: 8, detach: 9, idToFd: 13, infoByFd: 15, query: 16 } as const
const PROG_TYPE_CGROUP_DEVICE = 15
const CGROUP_DEVICE = 6
/** Also below a cgroup that has a filter: systemd, and a container around us, attach theirs. */
const F_ALLOW_MULTI = 2
const F_REPLACE = 4
/** bpf_attr.prog_name and bpf_prog_info.name: how a filter is known to be ours. */
const NAME = 'tsrunc_devices'
const NAME_OFFSET = { load: 48, info: 64 } as const
const NAME_SIZE = 16
const INSTRUCTION_SIZE = 8
/** Certain helpers may be called by GPL programs only; these call none. */
const LICENSE = Buffer.from('Apache-2.0\0')
/** sizeof(union bpf_attr) up to what is used here; the kernel takes shorter ones than its own. */
const ATTRIBUTES_SIZE = 128
/** The kernel refuses to attach more than 64 programs to one cgroup. */
const MOST_PROGRAMS = 64

/** Verifies and loads a program of 64-bit eBPF instructions; an fd of it. */
export function loadDeviceFilter(program: Uint8Array): number {
  const call = `bpf(BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE, ${program.length} bytes)`
  // The verifier gives up with EAGAIN when a signal arrives: libbpf tries five times as well.
  for (let attempt = 1; attempt < 5; attempt++) {
    const bytes = new Uint8Array(describeProgram(program).buffer)
    const fd = callKernel('bpf', [COMMAND.load, bytes, bytes.length], call, ['EAGAIN'])
    if (fd >= 0) return fd
  }
  return callBpf(COMMAND.load, describeProgram(program), call)
}

/** For each attempt anew: what it points to is held for one call (sys/ffi.ts). */
function describeProgram(program: Uint8Array): DataView {
  const attributes = makeAttributes()
  attributes.setUint32(0, PROG_TYPE_CGROUP_DEVICE, true)
  attributes.setUint32(4, program.length / INSTRUCTION_SIZE, true)
  attributes.setBigUint64(8, addressOf(program), true)
  attributes.setBigUint64(16, addressOf(LICENSE), true)
  const name = new Uint8Array(attributes.buffer, NAME_OFFSET.load, NAME_SIZE)
  name.set(Buffer.from(NAME))
  return attributes
}

/** Attaches a loaded program to the cgroup v2 directory of that fd; it outlives both fds. */
export function attachDeviceFilter(cgroup: number, program: number): void {
  const attributes = describeAttachment(cgroup, program)
  attributes.setUint32(12, F_ALLOW_MULTI, true)
  callBpf(COMMAND.attach, attributes, 'bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)')
}

/** Puts one program in the place of another: at no moment is there none, or both. */
export function replaceDeviceFilter(cgroup: number, program: number, former: number): void {
  const attributes = describeAttachment(cgroup, program)
  attributes.setUint32(12, F_ALLOW_MULTI | F_REPLACE, true)
  attributes.setUint32(16, former, true)
  callBpf(COMMAND.attach, attributes, 'bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE, BPF_F_REPLACE)')
}

export function detachDeviceFilter(cgroup: number, program: number): void {
  const attributes = describeAttachment(cgroup, program)
  callBpf(COMMAND.detach, attributes, 'bpf(BPF_PROG_DETACH, BPF_CGROUP_DEVICE)')
}

/** Kernel-wide ids of the filters attached to the cgroup itself. */
export function queryDeviceFilters(cgroup: number): readonly number[] {
  const ids = new Uint32Array(MOST_PROGRAMS)
  const attributes = makeAttributes()
  attributes.setUint32(0, cgroup, true)
  attributes.setUint32(4, CGROUP_DEVICE, true)
  attributes.setBigUint64(16, addressOf(new Uint8Array(ids.buffer)), true)
  attributes.setUint32(24, MOST_PROGRAMS, true)
  callBpf(COMMAND.query, attributes, 'bpf(BPF_PROG_QUERY, BPF_CGROUP_DEVICE)')
  return [...ids.subarray(0, attributes.getUint32(24, true))]
}

/** An fd of a loaded program, by its id. */
export function openDeviceFilter(id: number): number {
  const attributes = makeAttributes()
  attributes.setUint32(0, id, true)
  return callBpf(COMMAND.idToFd, attributes, `bpf(BPF_PROG_GET_FD_BY_ID, ${id})`)
}

/** Whether a loaded program is one that tsrunc made: systemd, and others, attach theirs as well. */
export function isOurDeviceFilter(program: number): boolean {
  const info = new Uint8Array(ATTRIBUTES_SIZE)
  const attributes = makeAttributes()
  attributes.setUint32(0, program, true)
  attributes.setUint32(4, info.length, true)
  attributes.setBigUint64(8, addressOf(info), true)
  callBpf(COMMAND.infoByFd, attributes, 'bpf(BPF_OBJ_GET_INFO_BY_FD)')
  const name = Buffer.from(info.buffer, NAME_OFFSET.info, NAME_SIZE).toString('latin1')
  return name.startsWith(`${NAME}\0`)
}

/** struct {u32 target_fd; u32 attach_bpf_fd; u32 attach_type; u32 attach_flags} */
function describeAttachment(cgroup: number, program: number): DataView {
  const attributes = makeAttributes()
  attributes.setUint32(0, cgroup, true)
  attributes.setUint32(4, program, true)
  attributes.setUint32(8, CGROUP_DEVICE, true)
  return attributes
}

function makeAttributes(): DataView {
  return new DataView(new ArrayBuffer(ATTRIBUTES_SIZE))
}

function callBpf(command: number, attributes: DataView, call: string): number {
  const bytes = new Uint8Array(attributes.buffer)
  return callKernel('bpf', [command, bytes, bytes.length], call)
}
