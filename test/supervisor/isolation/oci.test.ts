import { describe, expect, it } from 'vitest'
import { type OciConfig, ociConfig } from '../../../src/supervisor/isolation/oci-config.ts'
import { rules } from '../../../src/supervisor/isolation/rules.ts'
import { launch, VIEW } from './launches.ts'

const PLACE = {
  view: VIEW,
  self: { uid: 1000, gid: 100 },
  architecture: 'x64',
  cgroups: false,
  accounts: { passwd: '/b/passwd', group: '/b/group' },
} as const

interface Linux {
  readonly namespaces: readonly { readonly type: string }[]
  readonly uidMappings?: readonly object[]
  readonly gidMappings?: readonly object[]
  readonly resources?: object
  readonly cgroupsPath?: string
  readonly readonlyPaths: readonly string[]
  readonly seccomp: {
    readonly defaultAction: string
    readonly architectures: readonly string[]
    readonly syscalls: readonly Syscall[]
  }
}
interface Syscall {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet: number
  readonly args?: readonly object[]
}

const linuxOf = (config: OciConfig): Linux => config.linux as Linux

/** Fields of the specification 1.0.2 that there may be, by where they stand. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '': ['ociVersion', 'process', 'root', 'hostname', 'mounts', 'linux'],
  process: ['terminal', 'user', 'args', 'env', 'cwd', 'capabilities', 'rlimits', 'noNewPrivileges'],
  linux: [
    ...['namespaces', 'uidMappings', 'gidMappings', 'cgroupsPath', 'resources', 'seccomp', 'maskedPaths'],
    'readonlyPaths',
  ],
}

describe('the configuration of an OCI bundle', () => {
  const plain = ociConfig(launch(), PLACE)
  const rooted = ociConfig(
    launch({ uid: 58_001, share: { memory: 2 ** 28, cpu: 0.5, tasks: 1024, requests: { cpu: 2 } } }),
    {
      ...PLACE,
      self: { uid: 0, gid: 0 },
      cgroups: true,
    },
  )

  it.each([
    ['of a user without rights', plain],
    ['of root', rooted],
  ])('%s has fields of the specification alone', (_, config) => {
    const all = config as unknown as Record<string, Record<string, unknown>>
    for (const [where, fields] of Object.entries(FIELDS))
      for (const name of Object.keys(where === '' ? all : all[where]!)) expect(fields).toContain(name)
    expect(config.ociVersion).toBe('1.0.2')
    for (const mount of config.mounts) {
      expect(Object.keys(mount).sort()).toEqual(['destination', 'options', 'source', 'type'])
      expect(mount.destination).toMatch(/^\//)
    }
  })

  it('gives no rights, and a root that cannot be written to', () => {
    for (const config of [plain, rooted]) {
      const { capabilities, noNewPrivileges, terminal } = config.process as Record<string, object>
      expect(Object.values(capabilities!)).toEqual([[], [], [], [], []])
      expect([noNewPrivileges, terminal]).toEqual([true, false])
      expect(config.root).toEqual({ path: 'rootfs', readonly: true })
      const binds = config.mounts.filter(({ type }) => type === 'bind')
      expect(binds.filter(({ options }) => !options.includes('ro') || !options.includes('nosuid'))).toEqual(
        [],
      )
    }
  })

  it('has accounts of its own', () => {
    const at = (path: string) => plain.mounts.find(({ destination }) => destination === path)
    expect(at('/etc/passwd')).toMatchObject({ source: '/b/passwd' })
  })

  it('has a user namespace for a user without rights, and for root a user of the function’s own', () => {
    const types = (config: OciConfig) => linuxOf(config).namespaces.map(({ type }) => type)
    expect(types(plain)).toEqual(['pid', 'ipc', 'uts', 'mount', 'network', 'user'])
    expect(linuxOf(plain).uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }])
    expect(linuxOf(plain).gidMappings).toEqual([{ containerID: 0, hostID: 100, size: 1 }])
    expect(types(rooted)).not.toContain('user')
    expect(rooted.process).toMatchObject({ user: { uid: 58_001, gid: 58_001 } })
    expect(linuxOf(rooted).uidMappings).toBeUndefined()
  })

  it('has limits where there are cgroups', () => {
    expect(linuxOf(plain).resources).toBeUndefined()
    expect(linuxOf(rooted).resources).toEqual({
      devices: [{ allow: false, access: 'rwm' }],
      memory: { limit: 2 ** 28 },
      cpu: { period: 100_000, quota: 50_000, shares: 2048 },
      pids: { limit: 1024 },
    })
    expect(linuxOf(rooted).cgroupsPath).toMatch(/^\/hotpotato-\d+-echo-1-7$/)
  })

  it('refuses the system calls of every rule', () => {
    const { seccomp, readonlyPaths } = linuxOf(plain)
    expect(seccomp).toMatchObject({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
    })
    const named = new Set(seccomp.syscalls.flatMap(({ names }) => names))
    for (const { calls } of rules({ connects: false }))
      for (const call of calls) expect(named).toContain(call)
    expect(seccomp.syscalls.every(({ action }) => action === 'SCMP_ACT_ERRNO')).toBe(true)
    // One rule for each namespace that `clone` can make.
    expect(seccomp.syscalls.filter(({ names }) => names.includes('clone'))).toHaveLength(7)
    expect(seccomp.syscalls.find(({ names }) => names.includes('socket'))).toEqual({
      names: ['socket'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 97,
      args: [{ index: 0, value: 1, op: 'SCMP_CMP_NE' }],
    })
    expect(readonlyPaths).toContain('/proc/sys')
  })
})
