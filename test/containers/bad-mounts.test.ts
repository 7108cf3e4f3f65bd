/** Mounts that cannot be made. */
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { checkCases } from './refusal.ts'
import { type Bundle, describeContainers, type Patch } from './rig.ts'

describeContainers('mounts that cannot be made', (runtime) => {
  type Mount = Config['mounts'][number]
  const mount =
    (value: Mount, make: (bundle: Bundle) => void = () => {}): Patch =>
    (config, bundle) => {
      make(bundle)
      config.mounts.push(value)
    }
  const plain = ({ rootfs }: Bundle) => writeFileSync(join(rootfs, 'plain'), '')
  const link =
    (name: string): Patch =>
    (_config, { rootfs }) => {
      rmSync(join(rootfs, name), { recursive: true })
      symlinkSync('tmp', join(rootfs, name))
    }
  checkCases(runtime, [
    {
      name: 'a link in the way of /proc',
      patch: link('proc'),
      says: /^\/mounts\/0: \/proc is behind a symbolic link: proc is not mounted there \(CVE-2023-27561\)$/,
    },
    {
      name: 'a link in the way of /sys',
      patch: link('sys'),
      says: /^\/mounts\/3: \/sys is behind a symbolic link: sysfs is not mounted there \(CVE-2023-27561\)$/,
    },
    {
      name: 'a bind source that is missing',
      patch: mount({ destination: '/data', source: '/no/such/source', options: ['bind'] }),
      words: /\/no\/such\/source/,
      says: /^config\.json:\d+:\d+: \/mounts\/4\/source: expected an existing path of the host, found nothing at \/no\/such\/source$/,
    },
    {
      name: 'a directory over a file',
      patch: mount({ destination: '/plain', source: '/usr', options: ['bind'] }, plain),
      words: /\/plain/,
      says: /^\/mounts\/4: move_mount\(mount<\/usr on \/plain>, "", target<\/plain>, "", \S+\): EINVAL \(hint: a directory goes on a directory.*\)$/,
    },
    {
      name: 'a destination below a file',
      patch: mount({ destination: '/plain/below', type: 'tmpfs' }, plain),
      words: /\/plain/,
      says: /^\/mounts\/4: target = mkpath\(rootfs, "\/plain\/below", directory\): ENOTDIR \(hint: .*\)$/,
    },
    {
      name: 'links that lead in a circle',
      patch: mount({ destination: '/loop', type: 'tmpfs' }, ({ rootfs }) =>
        symlinkSync('loop', join(rootfs, 'loop')),
      ),
      says: /^\/mounts\/4: target = mkpath\(rootfs, "\/loop", directory\): ELOOP \(hint: .*\)$/,
    },
    {
      name: 'a filesystem that the kernel does not know',
      patch: mount({ destination: '/data', type: 'nosuchfs', source: 'x' }),
      says: /^\/mounts\/4: fs<nosuchfs x on \/data> = fsopen\("nosuchfs", FSOPEN_CLOEXEC\): ENODEV \(hint: .*\)$/,
    },
    {
      name: 'an option that tmpfs does not take',
      patch: mount({ destination: '/data', type: 'tmpfs', options: ['size=nonsense'] }),
      words: /\/data/,
      says: /^\/mounts\/4: fsconfig\(fs<tmpfs on \/data>, FSCONFIG_SET_STRING, "size", "nonsense", 0\): EINVAL \(hint: .*\)$/,
    },
  ])
})
