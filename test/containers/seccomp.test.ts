import { constants } from 'node:os'
import { expect, it } from 'vitest'
import { describeContainers, probe, runContainer } from './rig.ts'

const GETSID = process.arch === 'x64' ? '124' : '156'
const ARCHITECTURE = process.arch === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'
const ENOTNAM = constants.errno.ENOSTR

describeContainers('linux.seccomp', (runtime) => {
  it.each([true, false])('a denied call fails with its errno (noNewPrivileges %s)', (noNew) => {
    const [denied, report] = probe(runtime, [['syscall', GETSID], ['report']], (config) => {
      config.process.noNewPrivileges = noNew
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [ARCHITECTURE],
        syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOTNAM }],
      }
    })
    expect(denied).toBe('ENOSTR')
    expect(report).toMatchObject({ seccomp: 2, noNewPrivileges: noNew ? 1 : 0 })
  })

  it('arguments are compared', () => {
    const [denied] = probe(runtime, [['syscall', GETSID]], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [ARCHITECTURE],
        syscalls: [
          {
            names: ['getsid'],
            action: 'SCMP_ACT_ERRNO',
            args: [{ index: 0, value: 1n, op: 'SCMP_CMP_EQ' }],
          },
        ],
      }
    })
    expect(denied).toBe('ok')
  })

  it('SCMP_ACT_KILL ends the container', () => {
    const result = runContainer(runtime, [['syscall', GETSID]], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [ARCHITECTURE],
        syscalls: [{ names: ['getsid'], action: 'SCMP_ACT_KILL_PROCESS' }],
      }
    })
    expect(result.status).toBe(128 + constants.signals.SIGSYS)
  })

  it('names that this kernel does not know are skipped', () => {
    const [report] = probe(runtime, [['report']], (config) => {
      config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['no_such_call', 'getsid'], action: 'SCMP_ACT_ERRNO' }],
      }
    })
    expect(report).toMatchObject({ seccomp: 2 })
  })

  it('without the section there is no filter', () => {
    expect(probe(runtime, [['report']])[0]).toMatchObject({ seccomp: 0 })
  })

  it('a profile that denies execve is refused', () => {
    const result = runContainer(runtime, [['report']], (config) => {
      config.linux.seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] }
    })
    expect(result.status).toBe(1)
    if (runtime.name === 'tsrunc') {
      expect(result.stderr).toContain('execve')
      expect(result.stderr).toContain('/linux/seccomp')
    }
  })
})
