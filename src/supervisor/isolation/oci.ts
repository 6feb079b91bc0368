import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { group, passwd } from './accounts.ts'
import { type Circumstances, type Isolation, type Launch, NEEDS_NATIVE, type Problem } from './isolation.ts'
import { ociConfig } from './oci-config.ts'
import { findProgram } from './programs.ts'
import { architecture } from './sandbox.ts'
import { mayChangeUser, mayNot } from './uids.ts'
import { systemView } from './visible.ts'

/** The first of these that is there: the one in C starts faster, and holds less memory meanwhile. */
const RUNTIMES = ['crun', 'runc'] as const

/** Containers as bundles of the OCI runtime specification, run by `crun` or `runc`. */
export const ociLevel: Isolation = {
  level: 'oci',
  check,
  command(launch) {
    const program = runtime()
    sweep(program, launch.bundles)
    writeBundle(launch)
    const setpriv = findProgram('setpriv')
    const kept = ['--preserve-fds', `${launch.firstFree - 3}`]
    const run = [program, ...root(launch), 'run', '--bundle', bundleOf(launch), ...kept, idOf(launch)]
    // It ends with the supervisor, and takes the container along, which has asked the kernel for that.
    const [file, ...args] = setpriv === undefined ? run : [setpriv, '--pdeathsig', 'KILL', '--', ...run]
    return {
      file: file!,
      args,
      environment: { PATH: process.env.PATH, XDG_RUNTIME_DIR: launch.bundles },
      feeds: [],
      wrappers: 1,
      // It is the first process of its namespace.
      parent: 0,
    }
  },
  ended(launch) {
    const bundle = bundleOf(launch)
    const remove = (): void => rmSync(bundle, { recursive: true, force: true })
    if (!existsSync(join(launch.bundles, 'state', idOf(launch)))) return remove()
    // The runtime was killed, and could not do it itself.
    const deleting = spawn(runtime(), [...root(launch), 'delete', '--force', idOf(launch)], {
      stdio: 'ignore',
    })
    deleting.once('error', remove)
    deleting.once('exit', remove)
  },
}

type Named = Pick<Launch, 'name' | 'id' | 'bundles'>

const idOf = ({ name, id }: Named): string => `${name}-${id}`
const bundleOf = (launch: Named): string => join(launch.bundles, idOf(launch))
const root = ({ bundles }: Named): string[] => ['--root', join(bundles, 'state')]

const swept = new Set<string>()

/** Removes containers that a supervisor has left which was killed; a run directory has one at a time. */
function sweep(program: string, bundles: string): void {
  if (swept.has(bundles)) return
  swept.add(bundles)
  const state = join(bundles, 'state')
  const left = existsSync(state) ? readdirSync(state) : []
  for (const id of left) spawnSync(program, ['--root', state, 'delete', '--force', id], { timeout: 10_000 })
  rmSync(bundles, { recursive: true, force: true })
}

/** The first one that can start a container here, and what the others said. */
interface Choice {
  readonly program: string | undefined
  readonly said: readonly string[]
}
let chosen: Choice | undefined

/** Which one is taken; to find out, each starts a container that ends at once. @throws Error there is none */
function runtime(): string {
  chosen ??= choose()
  if (chosen.program === undefined) throw new Error(chosen.said.join('; '))
  return chosen.program
}

function choose(): Choice {
  const said: string[] = []
  for (const program of RUNTIMES.map(name => findProgram(name))) {
    if (program === undefined) continue
    const wrong = trial(program)
    if (wrong === undefined) return { program, said }
    said.push(`${program}: ${wrong.slice(0, 200)}`)
  }
  return { program: undefined, said }
}

/** @returns why that one cannot start a container */
function trial(program: string): string | undefined {
  const bundles = mkdtempSync(join(tmpdir(), 'hotpotato-oci-'))
  const named = { name: 'check', id: process.pid, bundles }
  try {
    writeBundle({
      ...{ ...named, environment: {}, firstFree: 3, visible: [], secrets: undefined },
      command: [findProgram('true') ?? '/usr/bin/true'],
      workingDirectory: '/',
      uid: mayChangeUser() ? TRIAL_UID : undefined,
      connects: false,
      share: {},
    })
    const args = [...root(named), 'run', '--bundle', bundleOf(named), idOf(named)]
    const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 })
    return status === 0 ? undefined : (error?.message ?? stderr.trim().split('\n').at(-1) ?? `exit ${status}`)
  } finally {
    rmSync(bundles, { recursive: true, force: true })
  }
}
/** No function's, and without rights: that of files without an owner. */
const TRIAL_UID = 65_534

/** A directory with `config.json`, the accounts, and a root file system of mount points. */
function writeBundle(launch: Launch): void {
  const bundle = bundleOf(launch)
  rmSync(bundle, { recursive: true, force: true })
  const rootfs = join(bundle, 'rootfs')
  makeFolder(rootfs)
  const accounts = { passwd: join(bundle, 'passwd'), group: join(bundle, 'group') }
  writeFileSync(accounts.passwd, passwd(launch.uid ?? 0), { mode: 0o644 })
  writeFileSync(accounts.group, group(launch.uid ?? 0), { mode: 0o644 })
  const view = systemView()
  const config = ociConfig(launch, {
    view,
    self: { uid: process.getuid!(), gid: process.getgid!() },
    architecture: architecture(),
    cgroups: mayChangeUser(),
    accounts,
  })
  for (const [link, target] of view.links) symlinkSync(target, join(rootfs, link))
  for (const { destination, source, type } of config.mounts) {
    const point = join(rootfs, destination)
    if (type !== 'bind' || statSync(source).isDirectory()) makeFolder(point)
    else {
      makeFolder(dirname(point))
      if (!existsSync(point)) writeFileSync(point, '', { mode: 0o644 })
    }
  }
  // A file system in memory gets the mode of what lies under it.
  chmodSync(join(rootfs, 'tmp'), 0o1777)
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
}

/** With all that lead to it, open to all, whatever the mask of the supervisor says. */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  mkdirSync(path)
  chmodSync(path, 0o755)
}

function check({ uids, native }: Circumstances): Problem | undefined {
  if (!native) return NEEDS_NATIVE
  if (!RUNTIMES.some(name => findProgram(name) !== undefined))
    return { what: 'neither crun nor runc is installed', remedy: 'install the package crun or runc' }
  const wrong = mayChangeUser() ? mayNot(uids) : undefined
  if (wrong !== undefined) return wrong
  try {
    runtime()
    return undefined
  } catch (error) {
    return {
      what: `no container can be started here (${(error as Error).message})`,
      remedy: mayChangeUser()
        ? 'mend what it says, or choose isolation: sandbox'
        : 'start hotpotato as root, or allow user namespaces, or choose isolation: sandbox',
    }
  }
}
