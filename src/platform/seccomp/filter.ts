import { type Condition, ERRORS, type Rule } from './rule.ts'
import { NEWEST, numbersOf } from './syscalls.ts'

/** Architectures that there is a filter for. */
export type Architecture = keyof typeof ARCHITECTURES

/** As in `linux/audit.h`. */
const ARCHITECTURES = { x64: 0xc000003e, arm64: 0xc00000b7 } as const

/** One instruction of classic BPF (`struct sock_filter`): 8 bytes. */
export interface Instruction {
  readonly code: number
  /** Instructions to skip if a test holds, and if it does not. */
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** Loads a word of `struct seccomp_data`. */
const LOAD = 0x20
const AND = 0x54
const JUMP_IF_EQUAL = 0x15
const JUMP_IF_GREATER = 0x25
const JUMP_IF_ANY = 0x45
const RETURN = 0x06

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0
const ARCH = 4
const ARGUMENTS = 16

const ALLOW = 0x7fff0000
const KILL_PROCESS = 0x80000000
const REFUSE = 0x00050000

/** The low half of an argument, on a little-endian machine. */
const lowHalf = (argument: number): number => ARGUMENTS + 8 * argument

/**
 * A filter that lets every system call pass but those of the rules. Calls that are newer than the rules are
 * unknown here (ENOSYS), and so are those of the other ABIs of the machine.
 */
export function filter(rules: readonly Rule[], architecture: Architecture): readonly Instruction[] {
  const program: Instruction[] = [
    load(ARCH),
    test(JUMP_IF_EQUAL, ARCHITECTURES[architecture], 1, 0),
    giveBack(KILL_PROCESS),
    load(NUMBER),
  ]
  // Among these are the numbers of x32 on x86-64: the same calls by other numbers, from 0x40000000 on.
  program.push(test(JUMP_IF_GREATER, NEWEST, 0, 1), giveBack(REFUSE | ERRORS.ENOSYS))
  for (const { calls, error, when = [] } of rules)
    for (const call of calls) {
      const number = numbersOf(call)[architecture]
      if (number === undefined) continue
      const refusal = [...conditions(when), giveBack(REFUSE | ERRORS[error])]
      // What looked at an argument has to look at the number again.
      if (when.length > 0) refusal.push(load(NUMBER))
      program.push(test(JUMP_IF_EQUAL, number, 0, refusal.length), ...refusal)
    }
  program.push(giveBack(ALLOW))
  return program
}

/** Falls through if all hold; else it jumps over the one instruction behind them. */
function conditions(when: readonly Condition[]): Instruction[] {
  const parts: Instruction[][] = []
  // From the last one to the first: how far to jump is known then.
  let behind = 1
  for (const { argument, mask, test: kind, value = 0 } of [...when].reverse()) {
    const part = [load(lowHalf(argument))]
    if (kind === 'any') part.push(test(JUMP_IF_ANY, mask ?? 0xffffffff, 0, behind))
    else {
      if (mask !== undefined) part.push({ code: AND, jt: 0, jf: 0, k: mask })
      part.push(test(JUMP_IF_EQUAL, value, kind === 'is' ? 0 : behind, kind === 'is' ? behind : 0))
    }
    behind += part.length
    parts.unshift(part)
  }
  return parts.flat()
}

function load(k: number): Instruction {
  return { code: LOAD, jt: 0, jf: 0, k }
}

function test(code: number, k: number, jt: number, jf: number): Instruction {
  return { code, jt, jf, k: k >>> 0 }
}

function giveBack(k: number): Instruction {
  return { code: RETURN, jt: 0, jf: 0, k: k >>> 0 }
}

/** The bytes that the kernel, and `bwrap --seccomp`, takes on a little-endian machine. */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  program.forEach(({ code, jt, jf, k }, index) => {
    view.setUint16(index * 8, code, true)
    view.setUint8(index * 8 + 2, jt)
    view.setUint8(index * 8 + 3, jf)
    view.setUint32(index * 8 + 4, k, true)
  })
  return bytes
}
