import type { ChildProcess } from 'node:child_process'
import { stringOf } from '../../wire/thrown.ts'

/** Bytes of a line on Node's IPC: a frame in base64, and what stands around it. */
const LINE = 0x40000
/**
 * What Node itself sends with and for a bare handle; it acts on other words of its own, too, but no process
 * here says them.
 */
const INTERNAL = new Set(['NODE_HANDLE', 'NODE_HANDLE_ACK', 'NODE_HANDLE_NACK'])
const NEWLINE = 0x0a

/** Node's handle of a child's IPC pipe. */
interface ChannelHandle {
  onread: (this: unknown, bytes: ArrayBuffer | undefined) => unknown
}

/**
 * Keeps what a child writes on Node's IPC pipe from ending this process: Node parses it, and acts on some of
 * it, where no code of ours can catch an exception. The pipe's handle is private to Node: where it is not
 * found, only the messages are looked at.
 * @param broken called once, for what no child of ours says; from then on nothing more of it is heard
 */
export function guardIpc(child: ChildProcess, broken: (reason: string) => void): void {
  let isBroken = false
  const guarded = <T>(work: () => T): T | undefined => {
    if (isBroken) return undefined
    try {
      return work()
    } catch {
      isBroken = true
      broken('it sent something that is not a message')
      return undefined
    }
  }
  // Node keeps a message without a listener on a channel that may be gone by then, and throws.
  child.on('message', () => {})
  const emit = child.emit.bind(child) as (...words: unknown[]) => boolean
  child.emit = (event: unknown, ...words: unknown[]): boolean => {
    if (event !== 'internalMessage') return emit(event, ...words)
    return guarded(() => emit(event, ...expected(words))) ?? false
  }
  const handle = handleOf(child)
  if (handle === undefined) return
  const { onread } = handle
  let line = 0
  handle.onread = function (bytes) {
    return guarded(() => {
      line = lengthOfLine(line, bytes)
      if (line > LINE) throw new RangeError(`a line of ${line} bytes`)
      return onread.call(this, bytes)
    })
  }
}

/** @throws TypeError for a message that Node would act on, and that is none of ours */
function expected(words: unknown[]): unknown[] {
  const { cmd, type } = (words[0] ?? {}) as { readonly cmd?: unknown; readonly type?: unknown }
  const known = INTERNAL.has(stringOf(cmd)) && (cmd !== 'NODE_HANDLE' || type === 'net.Native')
  if (!known) throw new TypeError(`an internal message ${stringOf(cmd)}`)
  return words
}

function lengthOfLine(before: number, bytes: ArrayBuffer | undefined): number {
  if (bytes === undefined) return before
  const last = new Uint8Array(bytes).lastIndexOf(NEWLINE)
  return last < 0 ? before + bytes.byteLength : bytes.byteLength - last - 1
}

function handleOf(child: ChildProcess): ChannelHandle | undefined {
  const symbol = Object.getOwnPropertySymbols(child).find(
    ({ description }) => description === 'kChannelHandle',
  )
  if (symbol === undefined) return undefined
  const handle = (child as unknown as Record<symbol, ChannelHandle | null | undefined>)[symbol]
  return typeof handle?.onread === 'function' ? handle : undefined
}
