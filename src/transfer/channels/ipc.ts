import type { ChildProcess, Serializable } from 'node:child_process'
import { type Budget, Reader } from '../../wire/index.ts'
import { SUPERVISOR } from '../channel.ts'
import { Descriptor } from '../streams/descriptor.ts'
import type { StreamHandle } from '../streams/handle.ts'
import { Assembly, closeAll } from './assembly.ts'
import { CLOSED, FLOODS, FramedChannel, readHeader } from './framed.ts'
import { guardIpc } from './ipc-guard.ts'

/**
 * The channel without foreign calls: Node's own IPC, with the supervisor as broker. A frame travels as base64
 * in a JSON message, which is faster than `advanced` serialization for small ones. One descriptor per
 * message, because Node sends one handle at a time and waits for an acknowledgement. Handles travel bare
 * (never as `net.Socket`), so no process on the way begins to read.
 */
interface Packet {
  /** Marks our messages among whatever else the processes send to each other. */
  readonly hotpotato: 'frame' | 'returned'
  /**
   * A process id. On the way to the broker: the receiver. From the broker: the sender; in `returned`, the one
   * that is gone.
   */
  readonly peer: number
  readonly frame: string
}

/** Bytes that wait here of one child's frames to others: far more than credits allow. */
const PASSING = 0x4000000

/** The end of an IPC channel, as `process` and a `ChildProcess` both are. */
class Port {
  readonly #process: NodeJS.Process | ChildProcess
  readonly #holds = new Set<() => void>()
  readonly #listener: (message: unknown, handle: unknown) => void
  readonly #onDisconnect: () => void
  open: boolean
  /** Bytes of its frames that wait for others here. */
  passing = 0

  constructor(
    end: NodeJS.Process | ChildProcess,
    onPacket: (packet: Packet | undefined, descriptors: Descriptor[]) => void,
    onClose: () => void,
  ) {
    this.#process = end
    this.open = end.connected === true
    this.#listener = (message, handle) => {
      const descriptors = isHandle(handle) ? [Descriptor.fromHandle(handle)] : []
      onPacket(isPacket(message) ? message : undefined, descriptors)
    }
    this.#onDisconnect = () => {
      if (!this.open) return
      this.close()
      onClose()
    }
    end.on('message', this.#listener)
    end.on('disconnect', this.#onDisconnect)
  }

  /**
   * Sends, and keeps the descriptor open until it has left: a handle closed on the way would end this
   * process.
   * @param done called when it has left, or has not: never if false is returned
   * @returns false if the other end is known to be gone
   */
  post(packet: Packet, descriptor: Descriptor | undefined, done?: (left: boolean) => void): boolean {
    if (!this.open || this.#process.connected !== true) return false
    const letGo = descriptor?.hold()
    if (letGo !== undefined) this.#holds.add(letGo)
    const release = (): void => {
      if (letGo !== undefined) this.#holds.delete(letGo)
      letGo?.()
    }
    const settled = (error?: Error | null): void => {
      release()
      done?.(!error)
    }
    // The types know net.Socket and net.Server; a bare handle passes as well, and as it is.
    const send = this.#process.send as unknown as (...args: unknown[]) => boolean
    try {
      send.call(this.#process, packet satisfies Serializable, descriptor?.handle, {}, settled)
      return true
    } catch {
      release()
      return false
    }
  }

  /** Hears and says nothing more, and has Node do the same. */
  cut(): void {
    this.close()
    if (this.#process.connected === true) this.#process.disconnect?.()
  }

  close(): void {
    this.open = false
    this.#process.off('message', this.#listener)
    this.#process.off('disconnect', this.#onDisconnect)
    for (const letGo of this.#holds) letGo()
    this.#holds.clear()
  }
}

/** A child's end: everything goes to the supervisor, who passes it on. */
export class IpcChannel extends FramedChannel {
  readonly kind = 'ipc'
  readonly #port: Port
  /** What the broker could not pass on, by whom it was for. */
  readonly #returned = new Map<number, Assembly>()

  /** Opens this process's IPC channel. An `Error` if it was started without one. */
  static open(options: { readonly self: number }): IpcChannel {
    if (process.send === undefined) throw new Error('no ipc channel: this process was started without one')
    return new IpcChannel(options.self)
  }

  private constructor(self: number) {
    super(self)
    this.#port = new Port(
      process,
      (packet, descriptors) => this.#onPacket(packet, descriptors),
      () => this.#onClose(),
    )
  }

  override get maxDescriptors(): number {
    return 1
  }

  /** The way to every peer is the same: `ends` are not needed and closed. */
  addPeer(id: number, ends: readonly Descriptor[] = []): void {
    closeAll(ends)
    this.register(id, (header, body, descriptors) =>
      this.#port.post(pack(id, header, body), descriptors[0]) ? 'sent' : 'gone',
    )
  }

  override close(): void {
    if (this.closed) return
    super.close()
    this.#port.close()
  }

  #onPacket(packet: Packet | undefined, descriptors: Descriptor[]): void {
    if (packet === undefined) {
      closeAll(descriptors)
      return
    }
    const frame = unpack(packet.frame)
    if (packet.hotpotato === 'frame') this.receive(packet.peer, frame, descriptors)
    else {
      closeAll(descriptors)
      this.#reportReturned(packet.peer, frame)
      this.lose(packet.peer, CLOSED)
    }
  }

  #reportReturned(to: number, frame: Uint8Array): void {
    const reader = new Reader(frame)
    const content = readHeader(reader)?.content
    if (content?.kind !== 'fragment') return
    const returned = this.#returned.get(to) ?? new Assembly()
    this.#returned.set(to, returned)
    const message = returned.accept(
      { ...content, descriptors: 0 },
      reader.bytes(reader.remaining),
      [],
      undefined,
    )
    if (typeof message === 'object') this.onUndeliverable?.(to, message.payload, false)
  }

  override forget(id: number): void {
    super.forget(id)
    this.#returned.delete(id)
  }

  #onClose(): void {
    for (const id of [...this.peers]) this.lose(id, CLOSED)
  }
}

/**
 * The supervisor's end, and the broker between its children. It never looks into what it passes on, and says
 * itself who has sent it.
 */
export class IpcBroker extends FramedChannel {
  readonly kind = 'ipc'
  readonly #ports = new Map<number, Port>()

  constructor(self = SUPERVISOR, budget?: Budget) {
    super(self, budget)
  }

  override get maxDescriptors(): number {
    return 1
  }

  /** Connects a child that was started with an `ipc` entry in its `stdio`, and makes it a peer. */
  attach(id: number, child: ChildProcess): void {
    guardIpc(child, reason => this.cut(id, reason))
    const port = new Port(
      child,
      (packet, descriptors) => this.#onPacket(id, port, packet, descriptors),
      () => this.#detach(id),
    )
    try {
      this.register(id, (header, body, descriptors) =>
        port.post(pack(this.self, header, body), descriptors[0]) ? 'sent' : 'gone',
      )
    } catch (error) {
      port.close()
      throw error
    }
    this.#ports.set(id, port)
  }

  /** A child becomes a peer by {@link attach}; there is nothing to add. */
  addPeer(id: number, ends: readonly Descriptor[] = []): void {
    closeAll(ends)
    if (!this.#ports.has(id)) throw new RangeError(`process ${id} is not attached`)
  }

  override forget(id: number): void {
    super.forget(id)
    this.#ports.get(id)?.close()
    this.#ports.delete(id)
  }

  override cut(id: number, reason: string): void {
    this.#ports.get(id)?.cut()
    this.#ports.delete(id)
    super.cut(id, reason)
  }

  #detach(id: number): void {
    this.#ports.delete(id)
    this.lose(id, CLOSED)
  }

  #onPacket(from: number, source: Port, packet: Packet | undefined, descriptors: Descriptor[]): void {
    if (packet?.hotpotato === 'frame' && packet.peer === this.self) {
      this.receive(from, unpack(packet.frame), descriptors)
      return
    }
    if (packet?.hotpotato === 'frame') this.#pass(from, source, packet, descriptors)
    closeAll(descriptors)
    if (packet?.hotpotato !== 'frame') this.cut(from, 'it sent something that is not a message')
  }

  #pass(from: number, source: Port, { peer: to, frame }: Packet, descriptors: readonly Descriptor[]): void {
    if (source.passing > PASSING) {
      this.cut(from, FLOODS)
      return
    }
    const back = (): void => void source.post({ hotpotato: 'returned', peer: to, frame }, undefined)
    source.passing += frame.length
    const done = (left: boolean): void => {
      source.passing -= frame.length
      if (!left) back()
    }
    const packet: Packet = { hotpotato: 'frame', peer: from, frame }
    if (this.#ports.get(to)?.post(packet, descriptors[0], done) !== true) done(false)
  }
}

function pack(peer: number, header: Uint8Array, body: Uint8Array): Packet {
  const frame = Buffer.allocUnsafe(header.length + body.length)
  frame.set(header, 0)
  frame.set(body, header.length)
  return { hotpotato: 'frame', peer, frame: frame.toString('base64') }
}

function unpack(frame: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = Buffer.from(frame, 'base64')
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function isPacket(message: unknown): message is Packet {
  if (typeof message !== 'object' || message === null) return false
  const { hotpotato, peer, frame } = message as Record<string, unknown>
  if (hotpotato !== 'frame' && hotpotato !== 'returned') return false
  return typeof frame === 'string' && Number.isInteger(peer)
}

function isHandle(value: unknown): value is StreamHandle {
  if (typeof value !== 'object' || value === null) return false
  const { readStart, close } = value as Partial<StreamHandle>
  return typeof readStart === 'function' && typeof close === 'function'
}
