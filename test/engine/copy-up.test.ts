/** `tmpcopyup` of a tree that the container changes meanwhile. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { copyUp } from '../../src/engine/copy-up.ts'
import { closeFd } from '../../src/sys/fd.ts'

/** Makes `file` a regular file and a fifo in turn, as fast as it can. */
const SWAP = `
  const { linkSync, renameSync } = require('node:fs')
  process.send('going')
  for (;;) for (const kind of ['regular', 'fifo']) {
    linkSync(kind, 'next')
    renameSync('next', 'tree/file')
  }`

/** open(2) of a fifo lets go who waits to write: as of a device, it is not without effect. */
it('opens nothing but regular files, whatever is swapped in', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsrunc-test-copy-up-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  execFileSync('sh', ['-c', 'mkdir tree copies; touch regular; mkfifo fifo'], { cwd: directory })
  const swapper = spawn(process.execPath, ['-e', SWAP], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  onTestFinished(() => void swapper.kill('SIGKILL'))
  const writer = spawn('sh', ['-c', ': > fifo'], { cwd: directory, stdio: 'ignore' })
  onTestFinished(() => void writer.kill('SIGKILL'))
  const written = once(writer, 'exit')
  await once(swapper, 'message')
  const source = openSync(join(directory, 'tree'), 'r')
  for (let round = 0; round < 1000; round++) {
    const copy = join(directory, 'copies', `${round}`)
    mkdirSync(copy)
    const target = openSync(copy, 'r')
    copyUp(source, target, [])
    closeFd(target)
  }
  closeFd(source)
  const copied = readdirSync(join(directory, 'copies'), { recursive: true })
  expect(copied.filter((name) => String(name).endsWith('file')).length).toBeGreaterThan(0)
  writer.kill('SIGKILL')
  expect(await written, 'waited to the end').toEqual([null, 'SIGKILL'])
})
