import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeContainer, describeContainers } from '../../src/state/describe.ts'
import type { ContainerRecord } from '../../src/state/record.ts'
import { createContainerDirectory, openRoot, writeRecord } from '../../src/state/store.ts'
import { endProcess, makeDirectory, recordOf, startProcess } from './rig.ts'

function store(rootPath: string, record: ContainerRecord): void {
  using root = openRoot(rootPath)
  using directory = createContainerDirectory(root, record.id)
  writeRecord(directory, record)
}

test('a container is described in the order of runc', () => {
  const rootPath = makeDirectory()
  const { pid } = startProcess()
  store(rootPath, recordOf('web1', pid))
  expect(JSON.stringify(describeContainer(rootPath, 'web1'))).toBe(
    JSON.stringify({
      ociVersion: '1.3.0',
      id: 'web1',
      pid,
      status: 'created',
      bundle: '/bundle',
      rootfs: '/bundle/rootfs',
      created: '2026-01-02T03:04:05.000000006Z',
      annotations: { purpose: 'test' },
      owner: 'root',
    }),
  )
})

test('a stopped container has no pid, an owner without a name none', async () => {
  const rootPath = makeDirectory()
  const child = startProcess()
  store(rootPath, { ...recordOf('web1', child.pid), owner: 4_123_456 })
  await endProcess(child)
  const described = describeContainer(rootPath, 'web1')
  expect(described).toMatchObject({ pid: 0, status: 'stopped', owner: '' })
})

test('a container that cannot be read does not hide the others', () => {
  const rootPath = makeDirectory()
  const { pid } = startProcess()
  for (const id of ['a', 'b', 'c']) store(rootPath, recordOf(id, pid))
  writeFileSync(join(rootPath, 'b', 'state.json'), '{')
  const warnings: string[] = []
  const described = describeContainers(rootPath, (message) => warnings.push(message))
  expect(described.map(({ id }) => id)).toEqual(['a', 'c'])
  expect(warnings).toEqual([expect.stringContaining('container b is damaged')])
})
