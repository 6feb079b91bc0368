/**
 * What Node's own stream handles look like from here. They are internal to Node (`tcp_wrap`, `pipe_wrap`,
 * `stream_wrap`), so everything is looked at before it is used, and what does not look as expected is not
 * used.
 */

/**
 * A connected stream as libuv holds it: `TCP` or `Pipe`. Numbers that are results are 0 or a negative errno.
 */
export interface StreamHandle {
  /** The file descriptor, or -1 once closed. */
  readonly fd: number
  /** Bytes that were written and that the kernel has not taken. */
  readonly writeQueueSize?: number
  /**
   * Always a function. Called with the buffer, or `undefined` when reading into the one given to {@link
   * useUserBuffer}.
   */
  onread: (buffer: ArrayBuffer | undefined) => void
  open(fd: number): number
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: Request, chunk: Uint8Array): number
  writev(request: Request, chunks: readonly Uint8Array[], allBuffers: true): number
  /** 0: the request completes later; 1: done; negative: failed. */
  shutdown(request: Request): number
  close(done?: () => void): void
  ref(): void
  unref(): void
  /** TCP alone. */
  setNoDelay?(on: boolean): number
  getpeername?(out: { address?: string; port?: number; family?: string }): number
}

/** One write or shutdown under way. `chunks` keeps the memory alive that the kernel has not taken yet. */
export interface Request {
  oncomplete: ((status: number) => void) | undefined
  chunks?: readonly Uint8Array[]
}

/** The internal bindings, once they have been looked at. */
export interface Bindings {
  TCP: new (kind: number) => StreamHandle
  Pipe: new (kind: number) => StreamHandle
  WriteWrap: new () => Request
  ShutdownWrap: new () => Request
  /** Written by each call and before each callback; the three indices say what stands where. */
  streamBaseState: ArrayLike<number>
  kReadBytesOrError: number
  kArrayBufferOffset: number
  kLastWriteWasAsync: number
}

/** What a look at Node's internals found. */
export type BindingsProbe =
  | { readonly available: true; readonly bindings: Bindings }
  | { readonly available: false; readonly reason: string }

/** `TCP.SOCKET` and `Pipe.SOCKET`: a connected stream, as opposed to a listening one. */
export const SOCKET = 0
/** `TCP.SERVER`: one that is going to listen. */
export const SERVER = 1

let probed: BindingsProbe | undefined

/** Whether raw handles can be used in this Node. Looks once; never throws. */
export function probeBindings(): BindingsProbe {
  probed ??= look()
  return probed
}

const METHODS = [
  'open',
  'readStart',
  'readStop',
  'useUserBuffer',
  'writeBuffer',
  'writev',
  'shutdown',
  'close',
] as const

function look(): BindingsProbe {
  const host = process as unknown as { binding?: (name: string) => Record<string, unknown> }
  // process.binding is deprecated (DEP0111), which some settings say aloud; we have asked before using it.
  const { noDeprecation } = process
  try {
    process.noDeprecation = true
    if (typeof host.binding !== 'function') return { available: false, reason: 'no process.binding' }
    const bindings = {
      ...host.binding('stream_wrap'),
      ...host.binding('tcp_wrap'),
      ...host.binding('pipe_wrap'),
    } as unknown as Bindings
    const missing = firstMissing(bindings)
    if (missing !== undefined) return { available: false, reason: `this Node has no ${missing}` }
    return { available: true, bindings }
  } catch (error) {
    return { available: false, reason: `process.binding refused: ${(error as Error).message}` }
  } finally {
    if (noDeprecation === undefined) delete (process as { noDeprecation?: boolean }).noDeprecation
    else process.noDeprecation = noDeprecation
  }
}

function firstMissing(bindings: Bindings): string | undefined {
  for (const name of ['TCP', 'Pipe', 'WriteWrap', 'ShutdownWrap'] as const) {
    if (typeof bindings[name] !== 'function') return name
  }
  for (const name of ['kReadBytesOrError', 'kArrayBufferOffset', 'kLastWriteWasAsync'] as const) {
    if (typeof bindings[name] !== 'number') return name
  }
  if (!ArrayBuffer.isView(bindings.streamBaseState)) return 'streamBaseState'
  for (const Handle of [bindings.TCP, bindings.Pipe]) {
    const handle = new Handle(SOCKET)
    const method = METHODS.find(name => typeof handle[name] !== 'function')
    handle.close()
    if (method !== undefined) return method
  }
  return undefined
}
