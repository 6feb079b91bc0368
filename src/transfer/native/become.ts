import { createRequire } from 'node:module'

const F_SETFD = 2
const PR_SET_SECCOMP = 22
const SECCOMP_MODE_FILTER = 2
const PR_SET_NO_NEW_PRIVS = 38
/** Bytes of `struct sock_fprog`: how many instructions, and where they are. */
const HEAD = 16
const INSTRUCTION = 8

interface Koffi {
  load(path: null): { func(definition: string): (...args: unknown[]) => number }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
  errno(): number
}

/**
 * Has the kernel refuse this process system calls for good (seccomp(2)), and replaces its program
 * (execve(2)): process id and environment stay.
 * @param filter the instructions; undefined: nothing is refused
 * @param descriptors that the program inherits: Node has marked some of them to be closed
 * @throws Error the kernel refuses one of both; then the process is to end
 */
export function becomeLocked(
  filter: Uint8Array | undefined,
  descriptors: readonly number[],
  program: string,
  words: readonly string[],
): never {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const library = koffi.load(null)
  const prctl = library.func('int prctl(int, unsigned long, uintptr_t, unsigned long, unsigned long)')
  const check = (call: string, result: number): void => {
    if (result < 0) throw new Error(`${call}: error ${koffi.errno()}`)
  }
  if (filter !== undefined) {
    const memory = koffi.alloc('uint8', HEAD + filter.length)
    const bytes = new Uint8Array(koffi.view(memory, HEAD + filter.length))
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    view.setUint16(0, filter.length / INSTRUCTION, true)
    view.setBigUint64(8, BigInt(memory) + BigInt(HEAD), true)
    bytes.set(filter, HEAD)
    check('prctl', prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    check('prctl', prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, memory, 0, 0))
  }
  const fcntl = library.func('int fcntl(int, int, ...)')
  for (const fd of descriptors) check('fcntl', fcntl(fd, F_SETFD, 'int', 0))
  const execv = library.func('int execv(const char *, const char **)')
  check('execv', execv(program, [program, ...words, null]))
  throw new Error('execv came back')
}
