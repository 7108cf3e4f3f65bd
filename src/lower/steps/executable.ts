import type { Execute, FindExecutable, InspectExecutable, ReadHome } from '../../plan/steps.ts'
import { close, openBelow, text } from '../calls.ts'
import { ACCESS, AT, AT_FDCWD, flags, O, S, STATX, ZERO } from '../constants.ts'
import { addMeet, type Context, failure, isNeededLater, rootOf } from '../context.ts'
import { FAIL } from '../fail-codes.ts'
import type { Rules } from '../instructions.ts'
import { ANSWER_LIMIT } from '../meets.ts'
import {
  ALL_BITS,
  address,
  type DataRef,
  immediate,
  type Label,
  load,
  type Operand,
  showList,
  showText,
  slotValue,
} from '../operands.ts'
import { closeRoot } from '../root.ts'
import { STATX_AT } from '../structs.ts'

/** `HOME=…` comes from the runtime, which reads the container's passwd through our fd. */
export function lowerReadHome(context: Context, step: ReadHome): void {
  const { asm } = context
  const passwd = asm.slot('passwd')
  const missing = asm.label('nopasswd')
  const done = asm.label('home')
  const window = answerWindow(context)
  openBelow(
    asm,
    slotValue(rootOf(context)),
    '/etc/passwd',
    ['RDONLY', 'NONBLOCK', 'NOCTTY', 'CLOEXEC'],
    ['IN_ROOT', 'NO_MAGICLINKS'],
    { into: passwd, on: { EAGAIN: 'retry', '*': missing } },
  )
  const number = addMeet(context, { kind: 'exchange', step })
  asm.meet(number, 'HOME from passwd', { fds: [slotValue(passwd)], window })
  asm.call('close', [slotValue(passwd)], { success: done })
  asm.place(missing)
  asm.meet(number, 'HOME without passwd', { window })
  asm.place(done)
  context.home = window
  if (!isNeededLater(context, 'change-directory', 'read-home')) closeRoot(context)
}

/** Room for a string from the runtime: the last byte stays NUL. */
function answerWindow({ asm }: Context): DataRef {
  const room = asm.bytes(ANSWER_LIMIT + 1)
  return { offset: room.offset, size: ANSWER_LIMIT }
}

/** In the words of Go's os/exec: engines choose exit status 126 or 127 by them. */
export function lowerFindExecutable(context: Context, step: FindExecutable): void {
  const { asm } = context
  const path = asm.slot('executable')
  const index = asm.slot('candidate')
  const found = asm.label('found')
  const quoted = JSON.stringify(step.name)
  const isPath = step.name.includes('/')
  const because = (why: string): Label =>
    failure(context, FAIL.executable, `exec: ${quoted}: ${why}`)
  step.candidates.forEach((candidate, number) => {
    const next = asm.label(`candidate${number + 1}`)
    const stat = `stat ${candidate}`
    // Only a name that is a path can be told what is wrong with it: of the others any may fit.
    const rules: Rules = isPath
      ? {
          ENOENT: because(`${stat}: no such file or directory`),
          ENOTDIR: because(`${stat}: not a directory`),
          EACCES: because('permission denied'),
        }
      : { '*': next }
    tryCandidate(context, text(asm, candidate), rules, isPath ? because('is a directory') : next)
    asm.set(path, text(asm, candidate))
    asm.set(index, immediate(number))
    asm.jump(found)
    if (!isPath) asm.place(next)
  })
  if (!isPath) {
    asm.fail(FAIL.executable, `exec: ${quoted}: executable file not found in $PATH`)
  }
  asm.place(found)
  context.executable = { path, index }
}

function tryCandidate({ asm, scratch }: Context, path: Operand, on: Rules, directory: Label): void {
  asm.call('statx', [AT_FDCWD, path, ZERO, flags(STATX, 'TYPE'), address(scratch, '&st')], { on })
  const mode = load(scratch, STATX_AT.mode, 4, 'st.mode')
  asm.test(mode, BigInt(S.values.IFMT), 'eq', flags(S, 'IFDIR'), directory)
  asm.call('faccessat2', [AT_FDCWD, path, flags(ACCESS, 'X_OK'), flags(AT, 'EACCESS')], { on })
}

function executableOf(context: Context): NonNullable<Context['executable']> {
  if (context.executable === undefined) throw new Error('lowering: no executable was looked for')
  return context.executable
}

/** An executable that cannot be read is left to execve, which can. */
export function lowerInspectExecutable(context: Context, step: InspectExecutable): void {
  const { asm } = context
  const { path, index } = executableOf(context)
  const file = asm.slot('file')
  const length = asm.slot('length')
  const done = asm.label('inspected')
  const window = answerWindow(context)
  const how = flags(O[asm.architecture], 'RDONLY', 'NONBLOCK', 'NOCTTY', 'CLOEXEC')
  asm.call('openat', [AT_FDCWD, slotValue(path), how, ZERO], { into: file, on: { '*': done } })
  asm.meet(addMeet(context, { kind: 'exchange', step }), 'interpreter of the executable', {
    values: [slotValue(index)],
    fds: [slotValue(file)],
    window,
    into: length,
  })
  close(asm, file)
  asm.test(slotValue(length), ALL_BITS, 'eq', 0n, done)
  const exec = `exec: ${JSON.stringify(step.name)}`
  const because = (why: string) => failure(context, FAIL.interpreter, `${exec}: ${why}`)
  const missing = because('no such file or directory: its interpreter is missing')
  const denied = because('permission denied: its interpreter may not be executed')
  const interpreter = address(window, 'interpreter')
  const access = [AT_FDCWD, interpreter, flags(ACCESS, 'X_OK'), flags(AT, 'EACCESS')]
  asm.call('faccessat2', access, {
    on: { ENOENT: missing, ENOTDIR: missing, EACCES: denied, '*': done },
  })
  asm.place(done)
}

export function lowerExecute(context: Context, step: Execute): void {
  const { asm } = context
  const { path } = executableOf(context)
  const argv = asm.pointers(step.args.map((arg) => asm.string(arg)))
  const home = context.home === undefined ? [] : [context.home]
  const envp = asm.pointers([...step.env.map((entry) => asm.string(entry)), ...home])
  const shown = showList(step.args.map(showText))
  const environment = address(envp, `/* ${step.env.length + home.length} vars */`)
  // A name with a slash is the path itself; of others, PATH decides.
  const [name = ''] = step.args
  const file = slotValue(path)
  const named = {
    ...file,
    show: name.includes('/') ? showText(name) : `${file.show}<${name}>`,
  }
  asm.call('execve', [named, address(argv, shown), environment])
}
