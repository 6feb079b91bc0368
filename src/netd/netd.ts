import { createServer, type Server, type Socket } from 'node:net'
import { NetdAnswer, NetdRequest } from '../platform/netd/messages.ts'
import { createPair, NativeChannel } from '../transfer/channels/native.ts'
import { takeHandle } from '../transfer/lift.ts'
import { ErrnoError, probe } from '../transfer/native/libc.ts'
import { NftablesError } from '../transfer/native/nftables.ts'
import { sockets } from '../transfer/native/sockets.ts'
import { Descriptor } from '../transfer/stream.ts'
import { hush, make, speak, TcpRefusal, take, wake } from '../transfer/tcp/repair.ts'
import { decodeTcpState, encodeTcpState, TcpStateError } from '../transfer/tcp/state.ts'
import { type Budget, DecodeError, decode, encode } from '../wire/index.ts'
import { Steering } from './steering.ts'

/** Processes that are served at once, each with 16 MiB for what it begins to say; no other is let in. */
const MOST_CLIENTS = 16
/** Answers, and so descriptors, that may wait for one that does not read. */
const MOST_WAITING = 32
/** Frames that one of them may send: a request has one, and more with what waits in its queues. */
const BUDGET: Budget = { burst: 20_000, perSecond: 10_000 }
const SOL_SOCKET = 1
const SO_PEERCRED = 17
/** `struct ucred`: process, user, group. */
const CREDENTIALS = 12
/** Requests that come without a descriptor. */
const BARE: ReadonlySet<NetdRequest['kind']> = new Set(['make', 'steer', 'flows'])
/** Characters of a reason. */
const LONGEST_REASON = 240

/** What it is told when it is made. */
export interface NetdSettings {
  /** The one user that it serves. */
  readonly user: number
  /** Ports of this host that connections may be taken from, and made for. */
  readonly ports: ReadonlySet<number>
  /** What makes connections deaf, of `loadDeafProgram`; undefined: a classic filter each. */
  readonly program?: number | undefined
  log(line: string): void
}

/**
 * Does for processes without rights what needs CAP_NET_ADMIN, and nothing else: takes a connection out of the
 * kernel, makes one, wakes one, and has what clients send go on to other hosts. It keeps neither descriptors
 * nor states. What goes wrong ends that request;
 * who breaks the rules of the channel loses its pair.
 */
export class Netd {
  readonly server: Server
  readonly #settings: NetdSettings
  readonly #channel: NativeChannel
  /** Answers that have not left, by process. */
  readonly #waiting = new Map<number, number>()
  #steering: Steering | undefined
  #last = 0

  /** @throws Error foreign calls do not work here */
  constructor(settings: NetdSettings) {
    this.#settings = settings
    this.#channel = NativeChannel.open(0, BUDGET)
    this.#channel.onMessage = (from, payload, descriptors) => this.#asked(from, payload, descriptors)
    this.#channel.onLeft = to => this.#waiting.set(to, (this.#waiting.get(to) ?? 1) - 1)
    this.#channel.onLost = peer => {
      this.#waiting.delete(peer)
      this.#channel.forget(peer)
    }
    this.server = createServer({ pauseOnConnect: true }, socket => this.#admit(socket))
  }

  close(): void {
    this.server.close()
    this.#channel.close()
  }

  /** Gives a process a pair, which keeps the bounds of messages, and lets go of its connection. */
  #admit(socket: Socket): void {
    let door: Descriptor
    try {
      door = Descriptor.fromHandle(takeHandle(socket).handle)
    } catch {
      // It is gone.
      socket.destroy()
      return
    }
    try {
      this.#welcome(door)
    } catch (error) {
      this.#settings.log(`a process is not let in: ${(error as Error).message}`)
    } finally {
      door.close()
    }
  }

  #welcome(door: Descriptor): void {
    const credentials = sockets().optionBytes(door.fd, SOL_SOCKET, SO_PEERCRED, CREDENTIALS)
    const user = new DataView(credentials.buffer, credentials.byteOffset, CREDENTIALS).getUint32(4, true)
    if (user !== this.#settings.user) throw new Error(`user ${user} is not the one that is served`)
    if (this.#channel.peers.size >= MOST_CLIENTS) throw new Error(`${MOST_CLIENTS} are there already`)
    const found = probe()
    if (!found.available) throw new Error(found.reason)
    const [ours, [theirs]] = createPair()
    this.#channel.addPeer(++this.#last, ours)
    const failed = found.libc.sendMessage(door.fd, Uint8Array.of(1), new Uint8Array(0), [theirs.fd])
    theirs.close()
    if (failed !== undefined) this.#channel.forget(this.#last)
  }

  #asked(from: number, payload: Uint8Array, descriptors: readonly Descriptor[]): void {
    try {
      const request = decode(NetdRequest, payload)
      const { answer, made } = this.#answer(request, descriptors)
      const sent = this.#channel.send(from, encode(NetdAnswer, answer), made === undefined ? [] : [made])
      made?.close()
      if (sent === 'sent') return
      const waiting = (this.#waiting.get(from) ?? 0) + 1
      if (sent === 'queued' && waiting <= MOST_WAITING) {
        this.#waiting.set(from, waiting)
        return
      }
      // The asker never hears that it was taken, and goes on with it.
      if (answer.kind === 'taken') wake(descriptors[0]!.fd)
      this.#channel.cut(from, 'it does not read')
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#channel.cut(from, 'it asks for what there is not')
    } finally {
      for (const descriptor of descriptors) descriptor.close()
    }
  }

  #answer(
    request: NetdRequest,
    descriptors: readonly Descriptor[],
  ): { readonly answer: NetdAnswer; readonly made?: Descriptor } {
    const { kind, ticket } = request
    try {
      if (descriptors.length !== (BARE.has(kind) ? 0 : 1))
        throw new TcpRefusal(`${descriptors.length} descriptors came with it`)
      return this.#serve(request, descriptors[0]?.fd ?? -1)
    } catch (error) {
      const known = [TcpRefusal, TcpStateError, ErrnoError, RangeError, NftablesError].some(
        kind => error instanceof kind,
      )
      const reason = known ? (error as Error).message : 'something went wrong in netd'
      if (!known) this.#settings.log(`a request failed: ${(error as Error)?.stack ?? String(error)}`)
      return { answer: { kind: 'refused', ticket, reason: reason.slice(0, LONGEST_REASON) } }
    }
  }

  /** Made when it is first asked for: most that netd does needs no firewall. @throws NftablesError */
  get #steers(): Steering {
    this.#steering ??= new Steering()
    return this.#steering
  }

  #serve(request: NetdRequest, fd: number): { readonly answer: NetdAnswer; readonly made?: Descriptor } {
    const { ticket } = request
    const { ports, program } = this.#settings
    switch (request.kind) {
      case 'take':
        return { answer: { kind: 'taken', ticket, state: encodeTcpState(take(fd, ports, program)) } }
      case 'make': {
        const made = Descriptor.fromFd(make(decodeTcpState(request.state), ports, program))
        return { answer: { kind: 'made', ticket }, made }
      }
      case 'wake':
        wake(fd, ports)
        return { answer: { kind: 'awake', ticket } }
      case 'speak':
        speak(fd, ports)
        return { answer: { kind: 'done', ticket } }
      case 'hush':
        hush(fd, ports)
        return { answer: { kind: 'done', ticket } }
      case 'steer': {
        const { flow, to } = request
        if (!ports.has(flow.localPort)) throw new TcpRefusal(`port ${flow.localPort} is none of its ports`)
        this.#steers.steer(flow, to.length === 0 ? undefined : to)
        return { answer: { kind: 'done', ticket } }
      }
      case 'flows':
        return { answer: { kind: 'flows', ticket, flows: this.#steers.flows } }
    }
  }
}
