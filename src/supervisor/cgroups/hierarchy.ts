import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { probe } from '../../transfer/native/libc.ts'
import { isRefuge } from './identity.ts'

/** What of a machine a cgroup divides, as far as limits need it. */
export const CONTROLLERS = ['memory', 'cpu', 'pids'] as const
export type Controller = (typeof CONTROLLERS)[number]

/** A directory below which cgroups may be made. */
export interface Tree {
  readonly version: 1 | 2
  readonly parent: string
  readonly controllers: readonly Controller[]
  /** Version 2: the processes in the parent have to leave it first, for a cgroup below it. */
  readonly leaves: boolean
}

/** Where cgroups may be made; and why not where there is no such place, and what to do. */
export interface Survey {
  readonly trees: readonly Tree[]
  readonly problem: { readonly what: string; readonly remedy: string } | undefined
}

/** What is asked of the machine. */
export interface Machine {
  /** A file's text; empty if it cannot be read. */
  read(file: string): string
  exists(file: string): boolean
  mayWrite(file: string): boolean
  /** Whether systemd says that it leaves this cgroup to what runs there (its page on delegation). */
  isDelegated(directory: string): boolean
  /** This process's. */
  readonly pid: number
}

/** This one. */
export const SYSTEM: Machine = {
  read(file) {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  },
  exists: existsSync,
  mayWrite(file) {
    try {
      accessSync(file, constants.W_OK)
      return true
    } catch {
      return false
    }
  },
  isDelegated(directory) {
    const native = probe()
    // The second is of systemd 251 or newer; before, it tells root alone.
    const attributes = ['trusted.delegate', 'user.delegate']
    return native.available && attributes.some(one => native.libc.isMarked(directory, one))
  },
  pid: process.pid,
}

/** One of version 1 and 2, as it is mounted, and where this process is in it. */
interface Hierarchy {
  readonly version: 1 | 2
  readonly mount: string
  /** The directory of this process's own cgroup; not always below the mount. */
  readonly own: string
  /** Version 1; none of that of systemd. */
  readonly controllers: readonly Controller[]
}

const RUN = `systemd-run ${process.getuid?.() === 0 ? '' : '--user '}--scope -p Delegate=yes hotpotato up`
const DELEGATE = `start it in a cgroup of its own: ${RUN}`

/** It is there where systemd is the first process. */
const SYSTEMD = '/run/systemd/system'
/** How version 1 calls the hierarchy that systemd has for itself. */
const OF_SYSTEMD = 'name=systemd'
/** What systemd manages, by the end of its name; and what it gives to the manager of a user. */
const UNIT = /\.(service|scope|slice)$/
const OF_A_USER = /^user@\d+\.service$/

/** Looks where this process may make cgroups. Nothing is changed. */
export function survey(machine: Machine = SYSTEM): Survey {
  const found = hierarchies(machine)
  const managed = machine.exists(SYSTEMD)
  const places = found.map(one => (one.version === 1 ? first(one, machine) : second(one, machine)))
  const mayTake = (one: Tree): boolean => !managed || isLeftToUs(one, found, machine)
  const trees = places.flatMap(all => all.filter(mayTake).slice(0, 1))
  if (trees.length > 0) return { trees, problem: undefined }
  const [taken] = places.flat()
  const what =
    found.length === 0
      ? 'no cgroups are mounted'
      : taken === undefined
        ? 'there is no cgroup that this user may write to'
        : `systemd manages ${taken.parent} and has not delegated it to us: its unit has no Delegate=yes`
  return { trees, problem: { what, remedy: managed ? DELEGATE : `start hotpotato as root, or ${DELEGATE}` } }
}

/** Those that are mounted and divide what we need, from `mountinfo` (proc_pid_mountinfo(5)). */
export function hierarchies(machine: Machine): Hierarchy[] {
  const own = machine.read('/proc/self/cgroup').trim().split('\n')
  const found: Hierarchy[] = []
  for (const line of machine.read('/proc/self/mountinfo').trim().split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root = '/', mount = ''] = before.split(' ')
    const [type, , options = ''] = after.split(' ')
    const words = options.split(',')
    if (type !== 'cgroup' && type !== 'cgroup2') continue
    const controllers = type === 'cgroup' ? CONTROLLERS.filter(name => words.includes(name)) : []
    const name = controllers[0] ?? OF_SYSTEMD
    const path = type === 'cgroup' ? ownPath(own, name) : ownUnified(own)
    if (path === undefined || (type === 'cgroup' && !words.includes(name))) continue
    const below = relative(root, path)
    // It may be another part of the hierarchy that is mounted here.
    if (below.startsWith('..')) continue
    found.push({ version: type === 'cgroup' ? 1 : 2, mount, own: join(mount, below), controllers })
  }
  return found
}

function ownPath(lines: readonly string[], name: string): string | undefined {
  return lines.map(line => line.split(':')).find(([, names = '']) => names.split(',').includes(name))?.[2]
}

function ownUnified(lines: readonly string[]): string | undefined {
  return lines.find(line => line.startsWith('0::'))?.slice(3)
}

function first({ own, controllers }: Hierarchy, machine: Machine): Tree[] {
  const mayWrite = machine.mayWrite(own) && machine.mayWrite(join(own, 'cgroup.procs'))
  if (!mayWrite || controllers.length === 0) return []
  return [{ version: 1, parent: own, controllers, leaves: false }]
}

/**
 * Version 2: a cgroup with processes has none below it that is limited, but for the first of all. A cgroup
 * that is ours alone is left by us; else one beside ours has to do, or at last one that we share with who
 * started us. Another supervisor's refuge is never ours.
 * @returns the best first
 */
function second({ own, mount }: Hierarchy, machine: Machine): Tree[] {
  const isFirst = !machine.exists(join(own, 'cgroup.type'))
  const there = company(own, machine)
  const ours: Place = { parent: own, leaves: !isFirst }
  const places: Place[] = [
    ...(isFirst || (there === 'ours' && !isRefuge(basename(own))) ? [ours] : []),
    ...(own === mount ? [] : [{ parent: dirname(own), leaves: false }]),
    ...(there === 'shared' ? [ours] : []),
  ]
  return places
    .map(({ parent, leaves }): Tree => {
      return { version: 2, parent, controllers: usable(parent, leaves, isFirst, machine), leaves }
    })
    .filter(({ controllers }) => controllers.length > 0)
}

/**
 * Whether systemd has given a place to us: what it manages and has not delegated, it may change or remove at
 * any time. It notes that in its own hierarchy alone.
 */
function isLeftToUs({ version, parent }: Tree, found: readonly Hierarchy[], machine: Machine): boolean {
  if (version === 2) return isDelegated(parent, machine)
  const own = found.filter(one => one.version === 2 || one.controllers.length === 0)
  return own.some(one => isDelegated(one.own, machine))
}

/** Whether the unit that it is in is. */
function isDelegated(directory: string, machine: Machine): boolean {
  let unit = directory
  while (!UNIT.test(unit) && unit !== dirname(unit)) unit = dirname(unit)
  return !OF_A_USER.test(basename(unit)) && machine.isDelegated(unit)
}

type Place = Pick<Tree, 'parent' | 'leaves'>

function usable(parent: string, leaves: boolean, isFirst: boolean, machine: Machine): Controller[] {
  const words = (name: string): string[] => machine.read(join(parent, name)).trim().split(/\s+/)
  if (!machine.mayWrite(parent) || !machine.mayWrite(join(parent, 'cgroup.procs'))) return []
  const given = words('cgroup.subtree_control')
  const empty = leaves || isFirst || words('cgroup.procs').join('') === ''
  const more = empty && machine.mayWrite(join(parent, 'cgroup.subtree_control'))
  const there = words('cgroup.controllers')
  return CONTROLLERS.filter(name => given.includes(name) || (more && there.includes(name)))
}

/**
 * Who is in our cgroup: `ours`: this process, and those that have started it and have no terminal for others;
 * `shared`: one that has, as a shell; `foreign`: others as well.
 */
function company(own: string, machine: Machine): 'ours' | 'shared' | 'foreign' {
  const kin = new Map<number, Standing>()
  for (let pid = machine.pid; pid > 0 && !kin.has(pid); ) {
    const standing = standingOf(pid, machine)
    kin.set(pid, standing)
    pid = standing.parent
  }
  const there = machine.read(join(own, 'cgroup.procs')).trim().split('\n').filter(Boolean).map(Number)
  if (there.some(pid => !kin.has(pid))) return 'foreign'
  const leads = (pid: number): boolean => pid !== machine.pid && kin.get(pid)!.leadsTerminal
  return there.some(leads) ? 'shared' : 'ours'
}

interface Standing {
  readonly parent: number
  /** It leads a session that has a terminal. */
  readonly leadsTerminal: boolean
}

/** From `/proc/PID/stat` (proc_pid_stat(5)); the name of a program may have anything in it. */
function standingOf(pid: number, machine: Machine): Standing {
  const text = machine.read(`/proc/${pid}/stat`)
  const [, parent = 0, , session, terminal = 0] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  return { parent, leadsTerminal: session === pid && terminal !== 0 }
}
