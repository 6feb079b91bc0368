import { createRequire } from 'node:module'

/** The number of bpf(2), which the C library has no name for. */
const BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280 }
const BPF_PROG_LOAD = 5
const BPF_PROG_TYPE_SOCKET_FILTER = 1
/** Of `union bpf_attr`: what kind of program, how many instructions, where they are, and its licence. */
const ATTRIBUTES = { length: 72, kind: 0, count: 4, instructions: 8, licence: 16 } as const
/** `r0 = 0; exit`: of each segment nothing is kept. */
const PROGRAM = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)
/** What helpers of the kernel it may call depends on that; it calls none. */
const LICENCE = new TextEncoder().encode('MIT\0')

interface Koffi {
  load(path: null): { func(definition: string): (...args: (number | bigint)[]) => number }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
}

/**
 * Loads the program that makes sockets deaf. The kernel compiles it this once, and a classic filter for each
 * socket anew, which takes longer than all else of a move. It needs CAP_BPF or CAP_SYS_ADMIN (where
 * `kernel.unprivileged_bpf_disabled` is not 0), and to attach it needs no right.
 * @returns its descriptor, close-on-exec; undefined: it may not be loaded here, so a classic filter is to do
 * @throws Error foreign calls do not work here
 */
export function loadDeafProgram(): number | undefined {
  const number = BPF[process.arch]
  if (number === undefined) return undefined
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const bpf = koffi.load(null).func('long syscall(long, long, uintptr_t, long)')
  const pointer = koffi.alloc('uint8', ATTRIBUTES.length + PROGRAM.length + LICENCE.length)
  const memory = koffi.view(pointer, ATTRIBUTES.length + PROGRAM.length + LICENCE.length)
  const instructions = BigInt(pointer) + BigInt(ATTRIBUTES.length)
  new Uint8Array(memory).fill(0)
  new Uint8Array(memory).set(PROGRAM, ATTRIBUTES.length)
  new Uint8Array(memory).set(LICENCE, ATTRIBUTES.length + PROGRAM.length)
  const view = new DataView(memory)
  view.setUint32(ATTRIBUTES.kind, BPF_PROG_TYPE_SOCKET_FILTER, true)
  view.setUint32(ATTRIBUTES.count, PROGRAM.length / 8, true)
  view.setBigUint64(ATTRIBUTES.instructions, instructions, true)
  view.setBigUint64(ATTRIBUTES.licence, instructions + BigInt(PROGRAM.length), true)
  const fd = bpf(number, BPF_PROG_LOAD, Number(pointer), ATTRIBUTES.length)
  return fd < 0 ? undefined : fd
}
