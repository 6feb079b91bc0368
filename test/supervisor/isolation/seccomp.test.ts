import { describe, expect, it } from 'vitest'
import { sealedRules } from '../../../src/containers/sealed/rules.ts'
import { assemble, filter } from '../../../src/platform/seccomp/filter.ts'
import { ERRORS, type ErrorName } from '../../../src/platform/seccomp/rule.ts'
import { NEWEST, numbersOf } from '../../../src/platform/seccomp/syscalls.ts'
import { rules } from '../../../src/supervisor/isolation/rules.ts'
import { verdict } from './kernel.ts'

const ARCHITECTURES = [
  ['x64', 0xc000003e],
  ['arm64', 0xc00000b7],
] as const
const ALLOW = 0x7fff0000
const KILL = 0x80000000
const refused = (name: ErrorName): number => 0x00050000 | ERRORS[name]

describe.each(ARCHITECTURES)('the filter of system calls on %s', (architecture, arch) => {
  const program = filter(rules({ connects: false }), architecture)
  const ask = (name: string, ...args: (number | bigint)[]): number =>
    verdict(program, { number: numbersOf(name)[architecture]!, arch, args: args.map(BigInt) })

  it('is a program that the kernel takes', () => {
    expect(program.length).toBeLessThan(4096)
    program.forEach(({ code, jt, jf, k }, at) => {
      expect(k).toBeGreaterThanOrEqual(0)
      // What gives back jumps nowhere.
      if (code !== 0x06) for (const jump of [jt, jf]) expect(at + 1 + jump).toBeLessThan(program.length)
      for (const byte of [jt, jf]) expect(byte).toBeLessThan(256)
      if (code === 0x20) expect(k % 4).toBe(0)
    })
    expect(program.at(-1)!.code).toBe(0x06)
  })

  it('refuses each call of its rules that asks for nothing else', () => {
    for (const { calls, error, when } of rules({ connects: false }))
      for (const call of calls)
        if (when === undefined && numbersOf(call)[architecture] !== undefined)
          expect([call, ask(call)]).toEqual([call, refused(error)])
  })

  it('lets all others pass', () => {
    const named = new Set(
      rules({ connects: false })
        .flatMap(({ calls }) => calls)
        .map(call => numbersOf(call)[architecture]),
    )
    for (let number = 0; number <= NEWEST; number++)
      if (!named.has(number)) expect([number, verdict(program, { number, arch })]).toEqual([number, ALLOW])
  })

  it('does not know what is newer than its rules, nor other ABIs', () => {
    for (const number of [NEWEST + 1, 0x3fffffff, 0x40000000, 0x40000065, 0xffffffff])
      expect(verdict(program, { number, arch })).toBe(refused('ENOSYS'))
    // i386 and arm, where the same numbers are other calls.
    for (const other of [0x40000003, 0x40000028])
      expect(verdict(program, { number: 1, arch: other })).toBe(KILL)
  })

  it('lets sockets be made within the machine only, and none be connected', () => {
    expect(ask('socket', 1, 1)).toBe(ALLOW)
    for (const family of [0, 2, 10, 16, 17, 40])
      expect(ask('socket', family, 1)).toBe(refused('EAFNOSUPPORT'))
    // The kernel looks at the low half alone.
    expect(ask('socket', 0x1_0000_0002n)).toBe(refused('EAFNOSUPPORT'))
    expect(ask('connect', 5)).toBe(refused('EACCES'))
    expect(ask('sendto', 5, 0, 0, 0x4040)).toBe(ALLOW)
    expect(ask('sendto', 5, 0, 0, 0x20004000)).toBe(refused('EPERM'))
    expect(ask('sendmsg', 5, 0, 0x4040)).toBe(ALLOW)
    expect(ask('sendmsg', 5, 0, 0x20000000)).toBe(refused('EPERM'))
  })

  it('asks nothing of the network of a socket, and types into no terminal', () => {
    for (const fine of [0x541b, 0x5411, 0x5421, 0x5401]) expect(ask('ioctl', 5, fine)).toBe(ALLOW)
    for (const bad of [0x8912, 0x8927, 0x894c, 0x89ff, 0x5412, 0x541c]) {
      expect(ask('ioctl', 5, bad)).toBe(refused('EPERM'))
      expect(ask('ioctl', 5, BigInt(bad) | 0xabcd_0000_0000n)).toBe(refused('EPERM'))
    }
  })

  it('starts processes and threads, but in no namespace of their own', () => {
    for (const fine of [0x11, 0x1200011, 0x3d0f00]) expect(ask('clone', fine)).toBe(ALLOW)
    for (const namespace of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
      expect(ask('clone', namespace | 0x11)).toBe(refused('EPERM'))
    expect(ask('clone3')).toBe(refused('ENOSYS'))
  })

  it('ends with the supervisor, and cannot take that back', () => {
    expect(ask('prctl', 1, 9)).toBe(ALLOW)
    expect(ask('prctl', 1, 0)).toBe(refused('EPERM'))
    expect(ask('prctl', 1, 15)).toBe(refused('EPERM'))
    expect(ask('prctl', 15, 0)).toBe(ALLOW)
  })

  it('lets the container of a program connect to it', () => {
    const open = filter(rules({ connects: true }), architecture)
    const number = numbersOf('connect')[architecture]!
    expect(verdict(open, { number, arch })).toBe(ALLOW)
    expect(verdict(open, { number: numbersOf('ptrace')[architecture]!, arch })).toBe(refused('EPERM'))
  })

  it('is eight bytes an instruction', () => {
    const bytes = assemble(program)
    expect(bytes.length).toBe(8 * program.length)
    // ld [4]; jeq #arch, 1, 0; ret #kill
    expect([...bytes.subarray(0, 8)]).toEqual([0x20, 0, 0, 0, 4, 0, 0, 0])
    expect([...bytes.subarray(16, 24)]).toEqual([0x06, 0, 0, 0, 0, 0, 0, 0x80])
  })
})

describe.each(ARCHITECTURES)('the filter of a sealed function on %s', (architecture, arch) => {
  const program = filter(sealedRules(4321), architecture)
  const ask = (name: string, ...args: number[]): number =>
    verdict(program, { number: numbersOf(name)[architecture]!, arch, args: args.map(BigInt) })

  it.each([
    ['socket', [2, 10, 16], [1, 17, 38, 40]],
    ['kill', [4321], [1, 4320, 0, 0xffffffff]],
    ['tgkill', [4321], [1]],
    ['prlimit64', [0], [4321, 1]],
    ['prctl', [15, 38], [1, 4]],
  ])('lets %s through for some first arguments alone', (name, fine, others) => {
    for (const one of fine) expect([one, ask(name, one)]).toEqual([one, ALLOW])
    for (const one of others) expect([one, ask(name, one)]).not.toEqual([one, ALLOW])
  })

  it('lets no descriptor have an owner, no pair be connected anew, no other be slowed down', () => {
    expect([ask('fcntl', 3, 4), ask('ioctl', 3, 0x5421)]).toEqual([ALLOW, ALLOW])
    expect([ask('fcntl', 3, 8), ask('ioctl', 3, 0x8901)]).toEqual([refused('EPERM'), refused('EPERM')])
    expect([ask('socketpair', 1, 0o2000001), ask('socketpair', 1, 2)]).toEqual([ALLOW, refused('EACCES')])
    expect([ask('setpriority', 0, 0), ask('setpriority', 0, 7), ask('setpriority', 2, 0)]).toEqual([
      ALLOW,
      refused('EPERM'),
      refused('EPERM'),
    ])
  })
})
