import type { Instruction } from '../../../src/platform/seccomp/filter.ts'

/** What the kernel gives a filter to look at (`struct seccomp_data`). */
export interface Call {
  readonly number: number
  /** As in `linux/audit.h`. */
  readonly arch: number
  readonly args?: readonly bigint[]
}

/** Runs a program of classic BPF as the kernel does. @returns its verdict @throws Error it is no program */
export function verdict(program: readonly Instruction[], { number, arch, args = [] }: Call): number {
  const data = new DataView(new ArrayBuffer(64))
  data.setUint32(0, number, true)
  data.setUint32(4, arch, true)
  args.forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, value, true)
  })
  let accumulator = 0
  for (let at = 0; ; at++) {
    const found = program[at]
    if (found === undefined) throw new Error(`it runs out of its end, at ${at}`)
    const { code, jt, jf, k } = found
    if (code === 0x06) return k
    if (code === 0x20) accumulator = data.getUint32(k, true)
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0
    else if (code === 0x15) at += accumulator === k ? jt : jf
    else if (code === 0x25) at += accumulator > k ? jt : jf
    else if (code === 0x45) at += (accumulator & k) !== 0 ? jt : jf
    else throw new Error(`an instruction that is not in use: ${code}`)
  }
}
