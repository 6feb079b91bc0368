import { type ConnectionInfo, infoOf } from '../../functions/contract.ts'
import type { Field } from '../../http/message.ts'
import type { Scheme } from '../../http/origin.ts'
import type { Problem } from '../../http/problem.ts'
import type { Session, SessionEvent } from '../../tls13/index.ts'
import type { ByteStream, Lifted, StreamError } from '../../transfer/byte-stream.ts'
import type { ConnectionDescription } from '../../transfer/control.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import { extensionOf, waitsOf } from '../../transfer/extensions.ts'
import { Guard } from '../../transport/guard.ts'
import { Turn } from '../../transport/turn.ts'
import { EMPTY, hex } from '../../wire/index.ts'
import { type Departing, Departure } from '../move/departure.ts'
import { KeyRenewal } from '../move/key-renewal.ts'
import type { MoveOrder } from '../move/move-order.ts'
import { restored, Seating } from '../move/seating.ts'
import { chosen, speak } from '../protocol/choice.ts'
import type { Protocol, ProtocolOwner, Refusal } from '../protocol/protocol.ts'
import type { Recovery } from '../survival/recovery.ts'
import type { Survival, SurvivalOwner } from '../survival/survival.ts'
import { survivalOf } from '../survival/survivals.ts'
import { Luggage } from '../upstream/luggage.ts'
import { Burden } from './burden.ts'
import type { ConnectionArrival, ConnectionEnd, ConnectionHost, Frozen } from './connection-host.ts'
import { describeConnection, logSession, platformFields } from './description.ts'
import { Ending, type Ends, type Phase } from './ending.ts'
import { type Incoming, Inlet } from './inlet.ts'
import { inquire } from './inquiry.ts'
import { Outlet } from './outlet.ts'
import { pack } from './packing.ts'
import type { Timeout } from './timeout.ts'
import { ConnectionTimers, type Waiting } from './timers.ts'

/**
 * One client: byte stream ↔ TLS session ↔ HTTP ↔ function. It opens one record after the other and stops at
 * the first request head that belongs to another function; then it freezes and offers itself to a container
 * of that function.
 */
export class Connection implements ProtocolOwner, SurvivalOwner, Departing, Ends, Incoming, Waiting {
  readonly host: ConnectionHost
  readonly scheme: Scheme
  readonly out: Outlet
  /** Everything that comes from outside comes through it: what is thrown ends this connection alone. */
  readonly guard = new Guard(error => this.#ending.fault(error))
  readonly #in: Inlet
  readonly fields: readonly Field[]
  readonly #stream: ByteStream
  readonly sessionId: Uint8Array
  generation: number
  readonly hops: number
  /** If it outlives this container. */
  readonly survival: Survival | undefined
  /** What is known of the owner who died, until the requests that it had have been looked at. */
  #recovery: Recovery | undefined
  #protocol: Protocol
  phase: Phase = 'open'
  #pumping = false
  readonly departure = new Departure(this)
  readonly #seating: Seating
  #renewal: KeyRenewal
  /** Told by the gateway, which relays the connection, and told on. */
  readonly toldAddress: string | undefined
  #remoteAddress: string | undefined
  readonly #arrived: number
  readonly luggage: Luggage
  readonly timers: ConnectionTimers
  readonly burden: Burden
  readonly #ending: Ending

  /**
   * @param arrival how it came
   * @throws TlsError (configuration) the session cannot go on here: nothing has been done to the stream
   */
  constructor(host: ConnectionHost, envelope: Envelope, stream: ByteStream, arrival: ConnectionArrival = {}) {
    const { recovery, home, taken } = arrival
    this.host = host
    this.luggage = new Luggage(arrival.upstreams)
    this.scheme = envelope.tls === undefined ? 'http' : 'https'
    this.#arrived = host.clock.steady()
    this.#stream = stream
    ;({ sessionId: this.sessionId, generation: this.generation, hops: this.hops } = envelope)
    this.fields = platformFields(host.container, envelope.hops)
    this.#remoteAddress = this.toldAddress = extensionOf(envelope, 'client')?.remoteAddress
    const session = taken ?? restored(envelope, host)
    this.survival = survivalOf(this, envelope, recovery !== undefined)
    this.#seating = new Seating(this.survival === undefined ? home : undefined, envelope.tls)
    this.#renewal = new KeyRenewal(envelope.tls)
    this.#recovery = recovery
    this.#in = new Inlet(this, stream, this.survival, new Turn(() => this.pump(), host.loop))
    // Its close_notify came to another container; a FIN is found again in the socket.
    this.#in.ended = envelope.tls?.readClosed === true
    const onDrained = this.guard.entrance(() => this.#onDrained())
    this.out = new Outlet(stream, session, this.survival, () => this.burden.updateSoon(), onDrained)
    this.out.shared = this.home !== undefined
    this.burden = new Burden(this, this.#in)
    const { timers } = host.limits
    this.timers = new ConnectionTimers(host.clock, timers, envelope.idleLeft, waitsOf(envelope), this)
    this.#protocol = speak(this, envelope.application, session !== undefined)
    this.#ending = new Ending(this, stream, this.#in)
  }

  /** Served here over a leg: when a gateway says that it has ended, nothing of ours reaches the client. */
  get onLeg(): boolean {
    return this.survival?.shared === false && this.phase !== 'frozen'
  }

  /** Starts reading, and serves what came with the envelope. */
  start(): void {
    this.timers.start()
    this.guard.run(() => {
      this.#in.read()
      // It has been kept here.
      if (this.#stream.state === 'lifted') this.#stream.unlift('taken')
      if (this.#recovery?.cut === true) this.#ending.breakOff(this.survival)
      else this.#work()
      this.#recovery = undefined
    })
  }

  /** The session id in hexadecimal. */
  get id(): string {
    return hex(this.sessionId)
  }

  get quiet(): boolean {
    return this.#protocol.quiet || this.covered
  }

  get covered(): boolean {
    return this.onLeg && this.#protocol.covered !== undefined
  }

  snapshot(): Envelope {
    return pack(this, this.generation, this.#session()?.snapshot())
  }

  refuse(method: string, functionName: string, alone: boolean): Problem | undefined {
    const recovery = this.#recovery
    if (recovery === undefined || this.survival === undefined) return undefined
    if (alone) this.#recovery = undefined
    // Before anything is begun: should we die, too, the next one knows how often it was tried.
    this.survival.attempts = recovery.attempts + 1
    this.out.flush()
    return recovery.judge(method, functionName, this.host.retries(functionName))
  }

  /**
   * Lets go of the connection at the next moment that loses nothing: now if it is idle, else after the
   * response.
   * @param moves to another container of this function, if one takes it; otherwise it ends
   */
  drain(moves = false): void {
    this.guard.run(() => this.departure.drain(moves))
  }

  /** Moves to a certain container at the next such moment; if that does not take it, it stays. */
  moveTo(order: MoveOrder): void {
    this.guard.run(() => this.departure.moveTo(order))
  }

  /** What `status` shows. @param now as {@link Clock.steady} */
  describe(now: number): ConnectionDescription {
    const age = now - this.#arrived
    return describeConnection(this, age, this.phase, this.#session(), this.#protocol)
  }

  /** Ends the connection now, with close_notify. */
  stop(): void {
    this.guard.run(() => this.#ending.stop(new Error('the container stops')))
  }

  onBytes(view: Uint8Array): void {
    if (this.phase !== 'open') return
    this.#in.take(view, this.#session(), this.#protocol)
    this.#work()
  }

  onBroken(error: StreamError): void {
    this.#ending.broken(error)
  }

  /** The client sends no more, be it by FIN or by close_notify. */
  onEnd(): void {
    this.#in.ended = true
    if (this.phase === 'closing' && !this.#stream.queued) this.#ending.now()
    else this.pump()
  }

  pump(): void {
    try {
      this.#work()
    } catch (error) {
      this.guard.fail(error)
    }
  }

  /** Does what can be done, and counts what is held then. */
  #work(): void {
    if (this.#pumping) return
    if (this.#in.turn.over) {
      // What has come stays, in memory of ours.
      this.#protocol.receive(EMPTY)
      this.#session()?.settle()
    } else this.#serve()
    this.burden.update()
  }

  /**
   * Takes events one by one, outer layer last, until more bytes, a function, or another container is needed.
   */
  #serve(): void {
    this.#pumping = true
    try {
      this.#renewal.begin(this.#session())
      // A stream that broke under a write says so only when we are done here.
      while (this.phase === 'open' && this.#stream.state === 'open' && this.goesOn() && this.#step());
    } finally {
      this.#pumping = false
    }
    if (this.#in.ended && this.phase === 'open' && !this.#in.turn.over) this.#protocol.inputEnded()
    if (this.phase === 'open') this.#protocol.settle()
    if (this.phase !== 'open') return
    if (this.#in.turn.over) this.#protocol.receive(EMPTY)
    this.#session()?.settle()
    this.out.flush()
    if (this.phase !== 'open') return
    this.#in.applyBackpressure(this.#session(), this.#protocol)
    // A safe point if the protocol is quiet: nothing is underway, and all output has been given to the
    // stream.
    this.departure.goOn()
  }

  goesOn(): boolean {
    return this.#in.turn.goesOn()
  }

  #step(): boolean {
    if (this.#protocol.step()) return true
    const session = this.#session()
    if (this.phase !== 'open' || session === undefined) return false
    // What lies behind the request at hand stays sealed: it may belong to another container.
    const { wantsInput } = this.#protocol
    if (!this.#renewal.looksAhead(session, wantsInput) && !wantsInput) return false
    const secured = session.next()
    if (secured !== undefined) this.#onTls(secured)
    return secured !== undefined
  }

  #session(): Session | undefined {
    return this.out.session
  }

  /** What a function is told of this connection. */
  info(requestIndex: number): ConnectionInfo {
    const { container } = this.host
    // The other end of a leg is the gateway; of a socket that is gone nothing is known.
    this.#remoteAddress ??= this.#stream.remoteAddress
    return infoOf(this.#session(), this.#remoteAddress, { hops: this.hops, requestIndex, container })
  }

  #onTls(event: SessionEvent): void {
    logSession(this.host.log, this, event)
    this.#renewal.hears(event, this.#session())
    if (event.type === 'application_data') this.#protocol.receive(event.data)
    else if (event.type === 'close_notify') this.onEnd()
    else if (event.type === 'question') inquire(this, this.host, event.id, event.question)
    else if (event.type === 'alert') {
      this.#protocol.cancel(event.error)
      this.hangUp()
    } else if (event.type === 'handshake_complete') {
      this.#protocol = chosen(this, this.#protocol, event.alpn)
      // From here on another container can go on, also if the first request came at once.
      if (this.survival !== undefined) this.out.flush()
    }
  }

  /** See {@link ProtocolOwner.move}. */
  move(functionName: string): boolean {
    return this.departure.follow(functionName)
  }

  get open(): boolean {
    return this.phase === 'open'
  }

  get protocol(): Protocol {
    return this.#protocol
  }

  flushOutput(): boolean {
    this.out.flush()
    return this.#stream.state === 'open'
  }

  get home(): number | undefined {
    return this.#seating.home
  }

  freeze(warm: boolean): Frozen | Promise<Frozen> {
    this.burden.freeze()
    this.phase = 'frozen'
    this.#in.turn.stop()
    const lifted = this.luggage.pack(this.#stream.lift(), this.#protocol.leaving)
    const keeps = warm && this.survival === undefined
    if (!(lifted instanceof Promise)) return this.#pack(lifted, keeps)
    // What came in last lies in the stream's memory, which others read into meanwhile.
    this.#session()?.settle()
    this.#protocol.receive(EMPTY)
    return lifted.then(one => this.#pack(one, keeps))
  }

  #pack({ descriptor, unread }: Lifted, keeps: boolean): Frozen {
    if (this.phase !== 'frozen') throw new Error('the connection ended as it was to leave')
    this.timers.suspend()
    if (unread.length > 0) this.#in.take(unread, this.#session(), this.#protocol)
    this.burden.freeze()
    this.burden.update()
    const envelope = pack(this, this.generation + 1, this.#seating.leave(this.#session(), keeps))
    this.#protocol.onMoved?.()
    envelope.hops = Math.min(this.hops + 1, 0xffff)
    envelope.upstreams = this.luggage.packed
    this.out.session = undefined
    return {
      envelope,
      descriptor,
      companions: this.luggage.companions,
      offering: (...offer) => this.survival?.offer(...offer),
      returnTo: target => this.#seating.returnTo(target, envelope),
    }
  }

  onMoved(how: 'moved' | 'unknown' | 'broken', envelope?: Envelope, target?: number): boolean {
    this.luggage.drop()
    if (how === 'broken') {
      this.#ending.now()
      return false
    }
    const kept = how === 'moved' && this.#seating.moved(this.host, target, envelope, this.#stream)
    // If it is unknown whether the target has it, it must not live twice. The gateway finds the end of its
    // leg, and another container goes on.
    if (!kept) this.#stream[how === 'moved' ? 'destroy' : 'shutdown']()
    this.close(how === 'moved' ? 'moved' : this.survival?.shared === false ? 'ended' : 'unclean')
    return kept
  }

  /**
   * Takes the session up again after a refusal; the request is answered here. Without one a container that
   * drains lets it end.
   */
  resume(envelope: Envelope, refusal: Refusal | undefined): void {
    if (this.phase !== 'frozen') return
    this.generation = envelope.generation
    this.luggage.unpack(this.host.upstreams, envelope)
    this.#seating.stay()
    this.survival?.claim()
    this.out.session = restored(envelope, this.host)
    // Who refused it has seen it.
    this.#renewal = new KeyRenewal(envelope.tls)
    this.#protocol.settled?.(true)
    this.#protocol = speak(this, envelope.application, this.#session() !== undefined, refusal)
    this.phase = 'open'
    this.timers.start()
    this.#stream.unlift('taken')
    // The settlement may have come in the middle of the pump that asked for the move; then this does nothing.
    this.pump()
    if (refusal === undefined && this.departure.ending && this.open) this.#protocol.drain()
  }

  /** A container has come that a request may have waited for. */
  available(): void {
    if (this.open) this.pump()
  }

  onTime(now: number, timer: Timeout | undefined): void {
    if (!this.open) return
    if (timer !== undefined) this.#protocol.expired(timer)
    if (this.open) this.#protocol.tick?.(now)
    this.pump()
  }

  onIdle(): void {
    this.#ending.idle()
  }

  get gone(): boolean {
    return this.phase === 'closing' || this.phase === 'closed'
  }

  touch(): void {
    this.timers.touch()
  }

  switchProtocol(protocol: Protocol): void {
    this.#protocol = protocol
  }

  /** The response has gone to the stream whole; the pump comes by the next safe point. */
  responded(): void {
    this.touch()
    if (this.survival !== undefined) {
      this.survival.attempts = 0
      // Before the next request is looked at, which may be in the pipe already.
      this.out.flush()
    }
    if (this.departure.ending) this.#protocol.drain()
    else this.pump()
  }

  /** Says goodbye in order: close_notify, FIN, and a moment for the client to take it all. */
  goodbye(): void {
    this.#ending.goodbye()
  }

  hangUp(): void {
    this.#ending.hangUp()
  }

  #onDrained(): void {
    this.out.release()
    this.timers.touch()
    if (this.phase === 'closing') this.#ending.lastMoment()
    else this.pump()
    this.burden.update()
  }

  /** The client must see that something is missing: no close_notify, no last chunk. */
  destroy(reason: Error): void {
    this.#ending.destroy(reason)
  }

  close(why: ConnectionEnd): void {
    if (this.phase === 'closed') return
    this.phase = 'closed'
    this.burden.close()
    try {
      this.timers.suspend()
      this.#in.turn.stop()
      this.#ending.over()
      this.luggage.drop()
      if (why !== 'moved') this.survival?.done()
      this.#protocol.settled?.(why === 'moved')
      this.departure.ended()
      this.out.release()
      this.out.session = undefined
      this.#seating.end(this)
    } finally {
      this.host.closed(this, why)
    }
  }
}
