/** The systemd driver of an ordinary user who calls the runtime without an engine. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { stringifyJson } from '../../src/config/stringify-json.ts'
import type { Config } from '../containers/config.ts'
import { check, describeEngine, makeRootfs, must, ROOTFS_TAR } from './engines/rig.ts'

const RUNTIME_DIR = '/run/user/1000'
const BUS = `unix:path=${RUNTIME_DIR}/bus`
const SCOPE = '/user.slice/user-1000.slice/user@1000.service/user.slice/test-mine.scope'
const PLACE = 'user.slice:test:mine'

describeEngine("a user's own manager", ({ name, path }) => {
  const bundle = mkdtempSync('/home/user/bundle-')
  /** What runs as the user, in a session that has these variables. */
  const user = (words: string, variables = `DBUS_SESSION_BUS_ADDRESS=${BUS}`) =>
    `cd ${bundle}; runuser -u user -- env -i PATH=$PATH HOME=/home/user XDG_RUNTIME_DIR=${RUNTIME_DIR} ${variables} ${words}`
  const call = `${path} --systemd-cgroup`
  const container = (then: string) =>
    `${user(`sh -ec '${call} run -d mine >out 2>&1 </dev/null || cat out'`)}
     trap "${user(`${path} delete -f mine`)}" EXIT
     ${then}`
  const show = (properties: string) =>
    user(`systemctl --user show -p ${properties} test-mine.scope`)

  beforeAll(() => {
    makeRootfs()
    must(`loginctl enable-linger user
          for i in $(seq 50); do [ -S ${RUNTIME_DIR}/bus ] && break; sleep 0.2; done
          mkdir ${bundle}/rootfs
          tar -xf ${ROOTFS_TAR} -C ${bundle}/rootfs
          chown -R user:user ${bundle}
          ${user(`${path} spec --rootless`)}`)
    const file = join(bundle, 'config.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as Config
    config.process.terminal = false
    config.process.args = ['sleep', '1000']
    config.linux.cgroupsPath = PLACE
    config.linux.resources = { memory: { limit: 64n << 20n } }
    writeFileSync(file, stringifyJson(config, 1))
  })
  afterAll(() => must(`rm -rf ${bundle}`))

  check('makes the scope, with its limits', container(show('ControlGroup,MemoryMax')), {
    output: new RegExp(`^ControlGroup=${SCOPE}\nMemoryMax=67108864$`, 'm'),
  })
  const exec = `${path} exec mine cat /proc/self/cgroup`
  check('has a further process in it', container(user(`systemd-run -q --user --scope ${exec}`)), {
    // By its own cgroup namespace.
    output: /^0::\/$/m,
  })
  // runc leaves the process where its caller is, without the limits.
  if (name !== 'runc') {
    check('not from outside of what is the user’s', container(`! (${user(exec)})`), {
      output: name === 'tsrunc' ? /EACCES \(hint: .*systemd-run --user/ : /Permission denied/,
    })
  }
  check(
    'takes other limits',
    container(`${user(`${path} update --memory 33554432 mine`)}; ${show('MemoryMax')}
      cat /sys/fs/cgroup${SCOPE}/memory.max`),
    { output: /^MemoryMax=33554432\n33554432$/m },
  )
  check(
    'forgets the scope of what was deleted',
    `${user(`sh -ec '${call} run -d mine >out 2>&1 </dev/null || cat out'`)}
     ${user(`${path} delete -f mine`)}
     ${show('LoadState')}`,
    { output: /^LoadState=not-found$/m },
  )
  check(
    'is found by XDG_RUNTIME_DIR alone',
    `${user(`${call} run -d mine >/dev/null 2>&1 </dev/null`, '')}
     ${show('ActiveState')}
     ${user(`${path} delete -f mine`)}`,
    { output: /^ActiveState=active$/m },
  )
})
