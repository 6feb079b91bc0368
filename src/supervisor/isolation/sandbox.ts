import { spawnSync } from 'node:child_process'
import { assemble, filter } from '../../platform/seccomp/filter.ts'
import { group, passwd } from './accounts.ts'
import {
  type Circumstances,
  type Command,
  type Isolation,
  type Launch,
  NEEDS_NATIVE,
  type Problem,
  SECRETS_FOLDER,
} from './isolation.ts'
import { findProgram } from './programs.ts'
import { rules } from './rules.ts'
import { asUser, mayChangeUser, mayNot } from './uids.ts'
import { systemView, type View, ways } from './visible.ts'

/** Bytes of each file system in memory that a function may write to: `/tmp` and `/dev/shm`. */
export const SCRATCH = 67_108_864

/** Programs in a sandbox that bubblewrap makes: it needs neither root nor a daemon. */
export const sandboxLevel: Isolation = {
  level: 'sandbox',
  check,
  command(launch) {
    const feeds = [passwd(launch.uid), group(launch.uid), assemble(filter(rules(launch), architecture()))]
    const view = systemView()
    return {
      file: findProgram('bwrap') ?? 'bwrap',
      args: [...bwrap(launch, view), '--', ...asUser(launch.uid), ...launch.command],
      environment: confined(launch),
      feeds,
      // Its own process, and the first one of the new process ids.
      wrappers: 2,
      parent: 1,
    }
  },
}

/** The arguments of bubblewrap. The root is empty, and read-only in the end. */
export function bwrap(
  { name, firstFree, visible, secrets, workingDirectory, uid }: Launch,
  view: View,
): string[] {
  return [
    ...foundation(view, uid === undefined),
    ...['--hostname', name, '--seccomp', `${firstFree + 2}`],
    ...['--ro-bind-data', `${firstFree}`, '/etc/passwd', '--ro-bind-data', `${firstFree + 1}`, '/etc/group'],
    ...open(visible),
    ...visible.flatMap(path => ['--ro-bind', path, path]),
    ...(secrets === undefined ? [] : [...open([SECRETS_FOLDER]), '--ro-bind', secrets, SECRETS_FOLDER]),
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', workingDirectory],
  ]
}

/**
 * Namespaces, and the parts of the system that every program needs. A user without rights has them in a user
 * namespace, and loses them there. Root needs none: it keeps what it takes to become another user.
 */
function foundation({ system, links }: View, userNamespace: boolean): string[] {
  return [
    ...(userNamespace ? ['--unshare-user'] : []),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-net', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...(userNamespace ? [] : TO_BECOME_ANOTHER.flatMap(right => ['--cap-add', right])),
    ...open(system),
    ...system.flatMap(path => ['--ro-bind', path, path]),
    ...links.flatMap(([link, target]) => ['--symlink', target, link]),
    ...['--proc', '/proc', '--dev', '/dev', ...scratch('/dev/shm')],
    ...scratch('/tmp'),
  ]
}

/** A file system in memory that every user may write to: the function becomes one that is not known here. */
function scratch(path: string): string[] {
  return ['--perms', '1777', '--size', `${SCRATCH}`, '--tmpfs', path]
}

/** Directories that lead there, open to all: bubblewrap itself would make them for its own user. */
function open(paths: readonly string[]): string[] {
  return ways(paths).flatMap(folder => ['--dir', folder])
}

const TO_BECOME_ANOTHER = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP']

/** What a confined process finds in its environment: nothing that leads to what it does not see. */
export function confined({ environment, workingDirectory }: Launch): Command['environment'] {
  return {
    ...environment,
    HOME: '/tmp',
    TMPDIR: '/tmp',
    PWD: workingDirectory,
    SSLKEYLOGFILE: undefined,
    NODE_V8_COVERAGE: undefined,
  }
}

/** @throws Error there is no filter for this machine's architecture */
export function architecture(): 'x64' | 'arm64' {
  const { arch } = process
  if (arch === 'x64' || arch === 'arm64') return arch
  throw new Error(`there is no filter of system calls for ${arch}`)
}

function check({ uids, native }: Circumstances): Problem | undefined {
  if (!native) return NEEDS_NATIVE
  const { arch } = process
  if (arch !== 'x64' && arch !== 'arm64')
    return { what: `there is no filter of system calls for ${arch}`, remedy: 'choose isolation: user' }
  const program = findProgram('bwrap')
  if (program === undefined)
    return { what: 'bwrap is not installed', remedy: 'install the package bubblewrap' }
  const wrong = mayChangeUser() ? mayNot(uids) : undefined
  if (wrong !== undefined) return wrong
  const user = mayChangeUser() ? uids.first : undefined
  const nothing = [...asUser(user), findProgram('true') ?? '/usr/bin/true']
  const args = [...foundation(systemView(), user === undefined), '--', ...nothing]
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 })
  if (status === 0) return undefined
  const said = error?.message ?? stderr.trim().split('\n')[0] ?? ''
  return {
    what: `bwrap cannot make namespaces here (${said.slice(0, 200)})`,
    remedy:
      'allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, ' +
      'kernel.apparmor_restrict_unprivileged_userns), or choose isolation: user',
  }
}
