import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { ErrnoError, probe } from './libc.ts'

/* capabilities(7). */
export const CAP_NET_BIND_SERVICE = 10
export const CAP_NET_ADMIN = 12
/** More than there are. */
const ALL = 64
const PR_SET_KEEPCAPS = 8
const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_RAISE = 2
/** `_LINUX_CAPABILITY_VERSION_3`: 64 bits in two halves. */
const VERSION = 0x20080522

interface Koffi {
  load(path: null): { func(definition: string): (...args: unknown[]) => number }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
  errno(): number
}

/**
 * From here on this thread, and the program that replaces it (execve(2)), has these rights and no other ones,
 * and belongs to that user; nothing it executes later can have more.
 * @throws ErrnoError it has not got them to keep, or may not become that user; then the process is to end
 */
export function keepOnly(rights: readonly number[], user: number, group: number): void {
  const found = probe()
  if (!found.available) throw new Error(found.reason)
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const library = koffi.load(null)
  const prctl = library.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)')
  const capset = library.func('int capset(uintptr_t, uintptr_t)')
  const check = (call: string, result: number): void => {
    if (result < 0) throw new ErrnoError(call, getSystemErrorName(-koffi.errno()))
  }
  // Without the right to (CAP_SETPCAP) they stay, and are of no use to a user who is not root.
  for (let right = 0; right < ALL; right++)
    if (!rights.includes(right)) prctl(PR_CAPBSET_DROP, right, 0, 0, 0)
  if (user !== process.geteuid!() || group !== process.getegid!()) {
    check('prctl', prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    process.setgroups!([])
    process.setgid!(group)
    process.setuid!(user)
  }
  const memory = koffi.alloc('uint8', 32)
  const words = new Uint32Array(koffi.view(memory, 32))
  const halves = [0, 1].map(half =>
    rights.filter(right => right >> 5 === half).reduce((sum, right) => (sum | (1 << (right & 31))) >>> 0, 0),
  )
  // Its head: the version, and this thread. Then, behind a gap, of each half what is in force, may be put in
  // force, and is inherited.
  words.set([VERSION, 0, ...halves.flatMap(half => [half, half, half])])
  check('capset', capset(Number(memory), Number(memory) + 8))
  for (const right of rights) check('prctl', prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0))
  check('prctl', prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}
