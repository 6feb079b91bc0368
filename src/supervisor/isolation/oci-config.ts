import { type Condition, ERRORS, type Rule } from '../../platform/seccomp/rule.ts'
import { CPU_PERIOD, quotaOf, type Share, sharesOf } from '../cgroups/knobs.ts'
import { type Launch, SECRETS_FOLDER } from './isolation.ts'
import { rules } from './rules.ts'
import { confined, SCRATCH } from './sandbox.ts'
import type { View } from './visible.ts'

/** What of `config.json` is written (OCI Runtime Specification 1.0.2, config.md and config-linux.md). */
export interface OciConfig {
  readonly ociVersion: string
  readonly process: object
  readonly root: { readonly path: string; readonly readonly: boolean }
  readonly hostname: string
  readonly mounts: readonly OciMount[]
  readonly linux: object
}

export interface OciMount {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

/** What the machine says, beside the launch. */
export interface OciPlace {
  readonly view: View
  /** The user that the runtime runs as. */
  readonly self: { readonly uid: number; readonly gid: number }
  readonly architecture: 'x64' | 'arm64'
  /** Whether it may make cgroups. */
  readonly cgroups: boolean
  /** Files with the accounts that it knows. */
  readonly accounts: { readonly passwd: string; readonly group: string }
}

const ARCHITECTURES = { x64: ['SCMP_ARCH_X86_64'], arm64: ['SCMP_ARCH_AARCH64'] } as const
/** Of /proc, what tells of the machine and what would change it, as container engines mask it. */
const MASKED = ['acpi', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'scsi']
const READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger']

/** A bundle's configuration for a container; its root file system is empty but for mount points and links. */
export function ociConfig(launch: Launch, place: OciPlace): OciConfig {
  const { name, id, command, uid, workingDirectory, share } = launch
  const environment = Object.entries(confined(launch)).filter(([, value]) => value !== undefined)
  // In a user namespace the runtime wants a root: the supervisor's user, without any rights.
  const user = uid ?? 0
  const none: readonly string[] = []
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: command,
      env: environment.map(([key, value]) => `${key}=${value}`),
      cwd: workingDirectory,
      capabilities: {
        bounding: none,
        effective: none,
        permitted: none,
        inheritable: none,
        ambient: none,
      },
      rlimits: [{ type: 'RLIMIT_CORE', hard: 0, soft: 0 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: name,
    mounts: mounts(launch, place),
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', 'network'].map(type => ({ type })),
        ...(uid === undefined ? [{ type: 'user' }] : []),
      ],
      // A user without rights has them in a user namespace; root gives the function a user of its own.
      ...(uid === undefined
        ? {
            uidMappings: [{ containerID: 0, hostID: place.self.uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: place.self.gid, size: 1 }],
          }
        : {}),
      maskedPaths: [...MASKED.map(path => `/proc/${path}`), '/sys/firmware'],
      readonlyPaths: READ_ONLY.map(path => `/proc/${path}`),
      seccomp: seccomp(rules(launch), place.architecture),
      ...(place.cgroups ? { cgroupsPath: cgroupsPath(name, id), resources: resources(share) } : {}),
    },
  }
}

/** Of one container, from the root of each hierarchy. It is gone with the container. */
export function cgroupsPath(name: string, id: number): string {
  return `/hotpotato-${process.pid}-${name}-${id}`
}

function mounts({ visible, secrets }: Launch, { view, accounts }: OciPlace): OciMount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    memory('/dev', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    memory('/dev/shm', SCRATCHES),
    memory('/tmp', SCRATCHES),
    ...view.system.map(path => bind(path)),
    bind('/etc/passwd', accounts.passwd),
    bind('/etc/group', accounts.group),
    ...visible.map(path => bind(path)),
    ...(secrets === undefined ? [] : [bind(SECRETS_FOLDER, secrets)]),
  ]
}

/** Files of each. Bubblewrap has no such option: there memory alone bounds them. */
const FILES = 16_384
const SCRATCHES = ['nosuid', 'nodev', 'mode=1777', `size=${SCRATCH}`, `nr_inodes=${FILES}`]

function memory(destination: string, options: readonly string[]): OciMount {
  return { destination, type: 'tmpfs', source: 'tmpfs', options }
}

function bind(destination: string, source = destination): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', 'ro', 'nosuid', 'nodev'] }
}

function resources({ memory, cpu, tasks, requests = {} }: Share): object {
  return {
    // Nothing but what the runtime adds by itself: null, zero, full, random, urandom, tty.
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: memory, reservation: requests.memory },
    cpu: {
      ...(cpu === undefined ? {} : { period: CPU_PERIOD, quota: quotaOf(cpu) }),
      ...(requests.cpu === undefined ? {} : { shares: sharesOf(requests.cpu) }),
    },
    ...(tasks === undefined ? {} : { pids: { limit: tasks } }),
  }
}

/** The rules as the runtime wants them. What is newer than they are cannot be named there, and passes. */
function seccomp(given: readonly Rule[], architecture: OciPlace['architecture']): object {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ARCHITECTURES[architecture],
    syscalls: given.flatMap(({ calls, error, when = [] }) =>
      alternatives(when).map(args => ({
        names: calls,
        action: 'SCMP_ACT_ERRNO',
        errnoRet: ERRORS[error],
        ...(args.length === 0 ? {} : { args }),
      })),
    ),
  }
}

interface OciArgument {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: 'SCMP_CMP_MASKED_EQ' | 'SCMP_CMP_NE'
}

/** Whether any of some bits is set takes a rule for each of them. */
function alternatives(when: readonly Condition[]): OciArgument[][] {
  let all: OciArgument[][] = [[]]
  for (const { argument: index, mask = 0xffffffff, test, value = 0 } of when) {
    const either: OciArgument[] =
      test === 'any'
        ? bits(mask).map(bit => ({ index, value: bit, valueTwo: bit, op: 'SCMP_CMP_MASKED_EQ' }))
        : test === 'is'
          ? [{ index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }]
          : [{ index, value, op: 'SCMP_CMP_NE' }]
    all = all.flatMap(before => either.map(one => [...before, one]))
  }
  return all
}

function bits(mask: number): number[] {
  return Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter(bit => (mask & bit) !== 0)
}
