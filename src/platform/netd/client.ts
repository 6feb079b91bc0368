import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Clock, Timer } from '../../time/clock.ts'
import { NativeChannel } from '../../transfer/channels/native.ts'
import { Readiness } from '../../transfer/channels/readiness.ts'
import { takeHandle } from '../../transfer/lift.ts'
import { probe } from '../../transfer/native/libc.ts'
import { Descriptor } from '../../transfer/stream.ts'
import type { Flow } from '../../transfer/tcp/flow.ts'
import { decodeTcpState, encodeTcpState, type TcpState } from '../../transfer/tcp/state.ts'
import { DecodeError, decode, EMPTY, encode } from '../../wire/index.ts'
import { shortPath } from '../seat/socket-path.ts'
import { NETD, NetdAnswer, NetdRequest, type Steered } from './messages.ts'

/** Milliseconds after which an answer is not waited for any more. */
const PATIENCE = 5_000
/** The other end of the one pair. */
const PEER = 0

/** `hotpotato netd` does not do it, or is not there. What became of the connection is in `outcome`. */
export class NetdError extends Error {
  override readonly name = 'NetdError'
  /** `untouched`: it goes on where it was; `unknown`: netd is gone, and may have taken it before. */
  readonly outcome: 'untouched' | 'unknown'

  constructor(outcome: NetdError['outcome'], message: string) {
    super(message)
    this.outcome = outcome
  }
}

/** Whether a netd listens for the platform of that run directory, and takes who comes. */
export async function netdServes(runDirectory: string): Promise<boolean> {
  const short = shortPath(join(runDirectory, NETD.directory, NETD.socket))
  const socket = connect(short.path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
    short.close()
  }
}

type Answered = { readonly answer: NetdAnswer; readonly descriptors: readonly Descriptor[] }

/** One process's way to `hotpotato netd`, which does for it what needs CAP_NET_ADMIN. */
export class NetdClient {
  /** It is gone: nothing that is asked later is answered. */
  onLost: ((reason: string) => void) | undefined
  readonly #channel: NativeChannel
  readonly #clock: Clock
  readonly #asked = new Map<number, { done(answered: Answered): void; lost(reason: string): void }>()
  #tickets = 0

  /**
   * @param runDirectory of the platform, absolute
   * @throws NetdError it does not run, or does not serve this user
   */
  static async connect(runDirectory: string, clock: Clock): Promise<NetdClient> {
    return new NetdClient(await pairFrom(join(runDirectory, NETD.directory, NETD.socket), clock), clock)
  }

  private constructor(end: Descriptor, clock: Clock) {
    this.#clock = clock
    this.#channel = NativeChannel.open(1)
    this.#channel.onMessage = (_, payload, descriptors) => this.#heard(payload, descriptors)
    this.#channel.onLost = (_, reason) => {
      this.#lose(reason)
      this.onLost?.(reason)
    }
    this.#channel.addPeer(PEER, [end])
  }

  /**
   * Takes a connection out of this kernel; the descriptor stays the caller's, who closes it when another host
   * has it, or {@link wake}s it. No process may read or write it from the call on.
   * @throws NetdError
   */
  async take(connection: Descriptor): Promise<TcpState> {
    const { answer } = await this.#ask('taken', ticket => ({ kind: 'take', ticket }), [connection])
    return decodeTcpState((answer as Extract<NetdAnswer, { kind: 'taken' }>).state)
  }

  /**
   * A connection of another kernel, in this one. It is deaf until it is woken; what of it is `unsent` is to
   * be written then. @throws NetdError
   */
  async make(state: TcpState): Promise<Descriptor> {
    const encoded = encodeTcpState(state)
    const { descriptors } = await this.#ask('made', ticket => ({ kind: 'make', ticket, state: encoded }))
    return descriptors[0]!
  }

  /** One that was taken goes on where it is, one that was made begins. @throws NetdError */
  async wake(connection: Descriptor): Promise<void> {
    await this.#ask('awake', ticket => ({ kind: 'wake', ticket }), [connection])
  }

  /** One that was made may be written to, and hears nothing yet. @throws NetdError */
  async speak(connection: Descriptor): Promise<void> {
    await this.#ask('done', ticket => ({ kind: 'speak', ticket }), [connection])
  }

  /** One that speaks, and has never heard anything, can be closed in silence again. @throws NetdError */
  async hush(connection: Descriptor): Promise<void> {
    await this.#ask('done', ticket => ({ kind: 'hush', ticket }), [connection])
  }

  /**
   * What the client of a connection sends goes on to another host, which is on a network with this one.
   * @param to its address, of the connection's family; undefined: it stays here @throws NetdError
   */
  async steer(flow: Flow, to: Uint8Array | undefined): Promise<void> {
    await this.#ask('done', ticket => ({ kind: 'steer', ticket, flow, to: to ?? EMPTY }))
  }

  /** The connections that are steered. @throws NetdError nothing can be steered here */
  async flows(): Promise<readonly Steered[]> {
    const { answer } = await this.#ask('flows', ticket => ({ kind: 'flows', ticket }))
    return (answer as Extract<NetdAnswer, { kind: 'flows' }>).flows
  }

  close(): void {
    this.#channel.close()
    this.#lose('it was left')
  }

  #ask(
    expected: NetdAnswer['kind'],
    request: (ticket: number) => NetdRequest,
    descriptors: readonly Descriptor[] = [],
  ): Promise<Answered> {
    const ticket = this.#tickets++ >>> 0
    return new Promise((resolve, reject) => {
      const late = (): void => this.#asked.get(ticket)?.lost(`no answer within ${PATIENCE} ms`)
      const timer: Timer = this.#clock.after(PATIENCE, late)
      const over = (): void => {
        timer.stop()
        this.#asked.delete(ticket)
      }
      this.#asked.set(ticket, {
        done: answered => {
          over()
          const { answer, descriptors } = answered
          const fits = answer.kind === expected && descriptors.length === (expected === 'made' ? 1 : 0)
          if (fits) return resolve(answered)
          for (const descriptor of descriptors) descriptor.close()
          if (answer.kind === 'refused')
            reject(new NetdError('untouched', `netd refuses it: ${answer.reason}`))
          else reject(new NetdError('unknown', `netd answers ${answer.kind} instead of ${expected}`))
        },
        lost: reason => {
          over()
          reject(new NetdError('unknown', `netd is lost: ${reason}`))
        },
      })
      const sent = this.#channel.send(PEER, encode(NetdRequest, request(ticket)), descriptors)
      if (sent === 'gone' || sent === 'full') this.#asked.get(ticket)?.lost('it takes nothing')
    })
  }

  #heard(payload: Uint8Array, descriptors: readonly Descriptor[]): void {
    let answer: NetdAnswer | undefined
    try {
      answer = decode(NetdAnswer, payload)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
    const asked = answer && this.#asked.get(answer.ticket)
    if (answer !== undefined && asked !== undefined) asked.done({ answer, descriptors })
    // An answer that comes too late: what was made ends in silence.
    else for (const descriptor of descriptors) descriptor.close()
  }

  #lose(reason: string): void {
    for (const { lost } of [...this.#asked.values()]) lost(reason)
  }
}

/** Connects, and is given one end of a pair, whose messages keep their bounds. */
async function pairFrom(path: string, clock: Clock): Promise<Descriptor> {
  const found = probe()
  if (!found.available) throw new NetdError('untouched', found.reason)
  const short = shortPath(path)
  const socket = connect(short.path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new NetdError('untouched', `netd does not run (${path}: ${code}); start it with hotpotato netd`)
  } finally {
    short.close()
  }
  return new Promise((resolve, reject) => {
    const refused = (reason: string): void => {
      timer.stop()
      door.close()
      reject(new NetdError('untouched', `netd does not serve this process: ${reason}`))
    }
    const timer: Timer = clock.after(PATIENCE, () => refused(`no answer within ${PATIENCE} ms`))
    const ready = (): void => {
      const received = found.libc.receiveMessage(door.fd)
      if (received === 'EAGAIN' || received === 'EINTR') return
      const given = typeof received === 'string' ? [] : received.descriptors.map(Descriptor.fromFd)
      const [end, ...more] = given
      for (const one of more) one.close()
      if (end === undefined) {
        refused('it closed the connection, or gave no pair')
        return
      }
      timer.stop()
      door.close()
      resolve(end)
    }
    const door = new Readiness(Descriptor.fromHandle(takeHandle(socket).handle), ready)
  })
}
