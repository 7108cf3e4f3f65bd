/** args[0] that cannot be run, in the words that engines match. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { checkCases } from './refusal.ts'
import { describeContainers, type Patch } from './rig.ts'

/** A program at /program of the container. */
function program(content: string | Buffer, mode = 0o755): Patch {
  return (config, { rootfs }) => {
    writeFileSync(join(rootfs, 'program'), content)
    chmodSync(join(rootfs, 'program'), mode)
    config.process.args = ['/program']
  }
}

function args(...words: string[]): Patch {
  return (config) => {
    config.process.args = words
  }
}

const FOREIGN_MACHINE = process.arch === 'x64' ? 183 : 62

function readProbe(change: (elf: Buffer) => void): Buffer {
  const elf = readFileSync(inject('probe'))
  change(elf)
  return elf
}

const toAnotherMachine = () => readProbe((elf) => elf.writeUInt16LE(FOREIGN_MACHINE, 18))

/** An ELF file whose one program header names an interpreter. */
function withInterpreter(path: string): Buffer {
  return readProbe((elf) => {
    const table = Number(elf.readBigUInt64LE(32))
    const name = Buffer.from(`${path}\0`)
    elf.writeUInt32LE(3, table)
    elf.writeBigUInt64LE(2048n, table + 8)
    elf.writeBigUInt64LE(BigInt(name.length), table + 32)
    name.copy(elf, 2048)
  })
}

describeContainers('args[0] that cannot be run', (runtime) => {
  const missing = /no such file or directory/
  checkCases(runtime, [
    {
      name: 'a name that is nowhere in PATH',
      patch: args('no-such-program'),
      words: /executable file not found in \$PATH/,
      says: /^\/process\/args\/0: exec: "no-such-program": executable file not found in \$PATH$/,
    },
    {
      name: 'a path that does not exist',
      patch: args('/no/such/program'),
      words: missing,
      says: /^\/process\/args\/0: exec: "\/no\/such\/program": stat \/no\/such\/program: no such file or directory$/,
    },
    {
      name: 'a relative path that does not exist',
      patch: args('./program'),
      words: missing,
      says: /^\/process\/args\/0: exec: "\.\/program": stat \.\/program: no such file or directory$/,
    },
    {
      name: 'a path below a file',
      patch: args('/probe/program'),
      words: /not a directory/,
      says: /^\/process\/args\/0: exec: "\/probe\/program": stat \/probe\/program: not a directory$/,
    },
    {
      name: 'a directory',
      patch: args('/tmp'),
      words: /permission denied|is a directory/,
      says: /^\/process\/args\/0: exec: "\/tmp": is a directory$/,
    },
    {
      name: 'a file that is not executable',
      patch: program('#!/probe\n', 0o644),
      words: /permission denied/,
      says: /^\/process\/args\/0: exec: "\/program": permission denied$/,
    },
    {
      name: 'a file that is not executable for the user',
      patch: (config, bundle) => {
        program('#!/probe\n', 0o700)(config, bundle)
        config.process.user = { uid: 1000, gid: 1000 }
      },
      words: /permission denied/,
      says: /^\/process\/args\/0: exec: "\/program": permission denied$/,
      // runc 1.1.5 finds out at start.
      onlyHere: true,
    },
    {
      name: 'a script whose interpreter is missing',
      patch: program('#!/no/such/interpreter -x\n'),
      says: /^\/process\/args\/0: exec: "\/program": no such file or directory: its interpreter is missing: \/no\/such\/interpreter$/,
      onlyHere: true,
    },
    {
      name: 'a script whose interpreter is not executable',
      patch: (config, bundle) => {
        program('#!/etc/plain\n')(config, bundle)
        writeFileSync(join(bundle.rootfs, 'etc/plain'), '')
      },
      says: /^\/process\/args\/0: exec: "\/program": permission denied: its interpreter may not be executed: \/etc\/plain$/,
      onlyHere: true,
    },
    {
      name: 'an ELF file whose interpreter is missing',
      patch: (config, bundle) => program(withInterpreter('/lib/no-ld.so'))(config, bundle),
      says: /^\/process\/args\/0: exec: "\/program": no such file or directory: its interpreter is missing: \/lib\/no-ld\.so$/,
      onlyHere: true,
    },
  ])

  // Whether binfmt_misc knows the format, only execve can tell: these are errors of start. Of
  // runc's, init writes them to stderr and the log stays empty.
  const exec = (why: string) =>
    new RegExp(
      `^/process/args: execve\\("/program", \\["/program"\\], /\\* \\d vars \\*/\\): ${why}$`,
    )
  checkCases(runtime, [
    {
      name: 'too long an argument',
      command: 'run',
      patch: (config) => {
        config.process.args = ['/probe', 'x'.repeat(200_000)]
      },
      onlyHere: true,
      says: /^\/process\/args: execve\("\/probe", \["\/probe", "x{256}…"\], \/\* \d vars \*\/\): E2BIG \(hint: .*\)$/,
    },
    {
      name: 'an empty file',
      command: 'run',
      onlyHere: true,
      patch: program(''),
      words: /exec format error/,
      says: exec('ENOEXEC: exec format error \\(hint: the file is empty\\)'),
    },
    {
      name: 'text without #!',
      command: 'run',
      onlyHere: true,
      patch: program('no program\n'),
      words: /exec format error/,
      says: exec('ENOEXEC: exec format error \\(hint: it is neither an ELF .* nor a script .*\\)'),
    },
    {
      name: 'a program for another machine',
      command: 'run',
      onlyHere: true,
      patch: (config, bundle) => program(toAnotherMachine())(config, bundle),
      words: /exec format error/,
      says: exec(
        'ENOEXEC: exec format error \\(hint: it is a program for \\S+, this host is \\S+\\)',
      ),
    },
    {
      name: 'a script with a relative interpreter',
      command: 'run',
      onlyHere: true,
      patch: program('#!sh\n'),
      words: missing,
      says: exec('ENOENT: no such file or directory \\(hint: its #! line names sh, .*\\)'),
    },
  ])
})
