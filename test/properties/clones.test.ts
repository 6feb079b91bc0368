import { openSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Connection } from '../../src/containers/connection/connection.ts'
import type { Frozen } from '../../src/containers/connection/connection-host.ts'
import { MoveOrder } from '../../src/containers/move/move-order.ts'
import { KeyRing } from '../../src/containers/process/key-ring.ts'
import { recover } from '../../src/containers/survival/recovery.ts'
import { goesOn } from '../../src/containers/survival/slot.ts'
import { Dispatch } from '../../src/gateway/dispatch.ts'
import { Duplicates } from '../../src/gateway/duplicates.ts'
import { H1Client } from '../../src/http/h1/index.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import type { Peer } from '../../src/transfer/control.ts'
import type { Courier } from '../../src/transfer/courier.ts'
import type { Release } from '../../src/transfer/custody.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../src/transfer/envelope.ts'
import { extensionOf, writeExtensions } from '../../src/transfer/extensions.ts'
import type { TakeOver } from '../../src/transfer/leg.ts'
import { type Libc, probe } from '../../src/transfer/native/libc.ts'
import { freshTls } from '../../src/transfer/parcel.ts'
import type { SealAssociated } from '../../src/transfer/seal.ts'
import { SlotFile } from '../../src/transfer/slot-file.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { FakeHost, FakeStream } from '../support/connection-scene.ts'
import { LONG_AFTER, NEVER } from '../support/deadly-stream.ts'
import { HandClock } from '../support/hand-clock.ts'
import { NonceLedger } from '../support/nonce-ledger.ts'
import { clientConfig } from '../support/pair.ts'
import { below, seeded } from '../support/random.ts'

const LONG = process.env.HOTPOTATO_LONG === '1'
const SESSION_ID = new Uint8Array(16).fill(5)
const GATEWAY = 100
const SLOTS = 2
/** Milliseconds: more than doubt lasts. */
const DOUBT = 6500
const TCP_ESTABLISHED = 1

type Random = ReturnType<typeof seeded>

const native = probe()
const real = native.available ? native.libc : (undefined as never)

/** An honest container: it offers its connection to whom the world says. */
class HonestHost extends FakeHost {
  onOffer: (frozen: Frozen, target: number, settle: (release: Release) => void) => void = () => {}

  override offer(
    _functionName: string,
    freeze: (warm: boolean) => Frozen | Promise<Frozen>,
    settle: (release: Release) => void,
    { only }: { readonly only?: number | undefined } = {},
  ): boolean {
    this.onOffer(freeze(false) as Frozen, only!, settle)
    return true
  }
}

interface Owner {
  readonly connection: Connection
  readonly stream: FakeStream
}

/**
 * A client, a kernel that counts, the gateway's part as it is, honest containers of one function that move
 * their connection among themselves and die, and containers of another function that never had it and lie:
 * about it, and with everything that honest ones have ever sealed or left.
 */
class World {
  readonly clock = new HandClock()
  readonly ledger = new NonceLedger(node)
  answered = 0
  asked = 0
  takenOver = 0
  over = false
  /** Honest containers that have the connection now. */
  readonly owners = new Map<number, Owner>()
  readonly #hosts = new Map<number, HonestHost>()
  readonly #liars = new Set<number>()
  readonly #files = new Map<number, SlotFile>()
  readonly #keys = new KeyRing(this.ledger.provider, {
    ...{ rotationSeconds: 3600, lifetimeSeconds: 7200, now: () => 0 },
  })
  readonly #client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
  readonly #http = new H1Client()
  readonly #counts = { read: 0, written: 0 }
  readonly #dispatch = new Dispatch(1000, new MemoryBudget(), this.clock)
  readonly #duplicates: Duplicates
  readonly #libc: Libc
  /** All that has been sealed for successors. */
  readonly #leaked: Uint8Array[] = []
  #slot = 0
  readonly #shared: FakeHost['slots'][] = []
  #nextId = 1

  constructor() {
    const { read, written } = { read: () => this.#counts.read, written: () => this.#counts.written }
    this.#libc = {
      ...real,
      socketCookie: () => new Uint8Array(8).fill(7),
      tcpCounts: () => ({
        ...{ state: TCP_ESTABLISHED, received: read(), unread: 0 },
        ...{ acknowledged: written(), unacknowledged: 0 },
      }),
      shutdown: () => {
        this.over = true
        return undefined
      },
    }
    const courier = {
      shareSlots: (target: number, { fd }: Descriptor, slots: number) => {
        this.#files.set(target, SlotFile.open(Descriptor.fromFd(real.duplicate(fd)), slots))
        return true
      },
      sendTakeOver: (
        target: number,
        session: SealAssociated,
        takeOver: TakeOver,
        _: Descriptor,
        settle: (release: Release) => void,
      ) => this.#takeOver(target, session, takeOver, settle),
    } as unknown as Courier
    const options = { libc: this.#libc, self: GATEWAY, slots: SLOTS }
    this.#duplicates = new Duplicates(options, courier, this.#dispatch, {
      clock: this.clock,
      counters: { takenOver: 0 },
      unclean: () => {},
      refused: () => {},
    })
    for (let i = 0; i < 3; i++) this.#startHonest()
    for (let i = 0; i < 2; i++) this.#startLiar()
    this.#open()
  }

  close(): void {
    // What the gateway still keeps of the dead is closed when their time is over.
    for (const id of [...this.#hosts.keys(), ...this.#liars]) this.#duplicates.gone(id)
    this.clock.pass(3 * DOUBT)
    this.#duplicates.close()
    for (const file of this.#files.values()) file.close()
    for (const slots of this.#shared) slots.remove(GATEWAY)
  }

  #open(): void {
    const fd = openSync('/dev/null', 'r')
    const duplicate = this.#duplicates.open(fd, SESSION_ID, 0)!
    const fresh = freshTls({ sessionId: SESSION_ID, idleLeft: LONG_AFTER, inbound: EMPTY })
    const envelope: Envelope = { ...fresh, extensions: writeExtensions(duplicate.extensions) }
    this.#slot = extensionOf(envelope, 'slot')!.slot
    const [first] = this.#hosts.keys()
    duplicate.offer(first!)
    this.#serve(first!, envelope)
    duplicate.delivered()
    Descriptor.fromFd(fd).close()
    this.settle()
  }

  #introduce(id: number, functionName: string): void {
    const peer = { id, role: 'container', name: `${functionName}-${id}`, functionName } as Peer
    this.#duplicates.introduced(peer)
    this.#dispatch.introduced(peer)
  }

  #startHonest(): void {
    const id = this.#nextId++
    const host = new HonestHost(undefined, { timers: NEVER })
    const { provider } = this.ledger
    Object.assign(host, { tls: { ...host.tls, provider, alpn: ['http/1.1'] } })
    const { checkpoints } = this.#keys
    const seal: typeof checkpoints.seal = (...words) => {
      const sealed = checkpoints.seal(...words)
      this.#leaked.push(sealed)
      return sealed
    }
    Object.assign(host, { checkpoints: { ...checkpoints, seal } })
    host.onOffer = (frozen, target, settle) => this.#offered(frozen, target, settle)
    this.#hosts.set(id, host)
    this.#introduce(id, 'echo')
    const file = this.#files.get(id)!
    this.#shared.push(host.slots)
    host.slots.add(GATEWAY, Descriptor.fromFd(real.duplicate(file.descriptor.fd)), SLOTS)
  }

  #startLiar(): void {
    const id = this.#nextId++
    this.#liars.add(id)
    this.#introduce(id, 'other')
  }

  #serve(id: number, envelope: Envelope, recovery?: ConstructorParameters<typeof Connection>[3]): void {
    const stream = new FakeStream()
    const connection = new Connection(this.#hosts.get(id)!, envelope, stream, recovery)
    this.owners.set(id, { connection, stream })
    connection.start()
  }

  #takeOver(
    target: number,
    session: SealAssociated,
    takeOver: TakeOver,
    settle: (release: Release) => void,
  ): void {
    const refuse = (): void =>
      settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'seal', detail: '' } })
    // A liar refuses, too: it could do nothing with it but keep it.
    const recovered = this.#liars.has(target) ? undefined : recover(this.#keys.checkpoints, takeOver, session)
    const kernel = { available: true, libc: this.#libc } as const
    if (recovered === undefined || !goesOn(recovered.envelope, { fd: 0 }, kernel)) {
      refuse()
      return
    }
    this.#serve(target, recovered.envelope, recovered)
    this.takenOver++
    settle({ state: 'gone' })
  }

  /** How the next offer ends. */
  fate: 'taken' | 'refused' | 'taken late' = 'taken'

  #offered({ envelope, offering }: Frozen, target: number, settle: (release: Release) => void): void {
    offering(target, envelope.generation)
    const bytes = encodeEnvelope(envelope)
    if (this.fate === 'refused') {
      settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'draining', detail: '' } })
      return
    }
    const source = [...this.owners.keys()].find(id => id !== target)!
    const arrive = (): void => {
      this.owners.delete(source)
      this.#serve(target, decodeEnvelope(bytes))
      settle({ state: 'gone' })
    }
    if (this.fate === 'taken') arrive()
    else this.#late = arrive
  }

  #late: (() => void) | undefined

  ask(): void {
    if (this.over) return
    this.#client.send(
      this.#http.request({ method: 'GET', target: `/r${this.asked++}`, headers: [['host', 'a']] }, undefined),
    )
    this.settle()
  }

  /** The connection goes to another honest container, be it while another one lies. */
  move(random: Random, fate: World['fate'], meanwhile: () => void): void {
    const [owner] = this.owners
    if (this.over || owner === undefined) return
    const others = [...this.#hosts.keys()].filter(id => id !== owner[0])
    this.fate = fate
    owner[1].connection.moveTo(new MoveOrder(others[below(random, others.length)]!, () => {}))
    meanwhile()
    this.#late?.()
    this.#late = undefined
    this.settle()
  }

  /** The process that has it dies; another one is started in its place. */
  crash(): void {
    const [id] = this.owners.keys()
    if (id !== undefined) this.#die(id, () => this.#startHonest())
  }

  /** A container of the same function dies that does not have it. */
  crashAnother(random: Random): void {
    const others = [...this.#hosts.keys()].filter(id => !this.owners.has(id))
    this.#die(others[below(random, others.length)]!, () => this.#startHonest())
  }

  #die(id: number, startAgain: () => void): void {
    this.owners.delete(id)
    this.#hosts.delete(id)
    this.#liars.delete(id)
    this.#dispatch.gone(id)
    this.#duplicates.gone(id)
    startAgain()
    this.settle()
  }

  /**
   * A liar says something about the connection, knowing all there is to know but keys, and perhaps dies over
   * it.
   */
  lie(random: Random): void {
    const liars = [...this.#liars]
    const liar = liars[below(random, liars.length)]!
    const file = this.#files.get(liar)!
    file.writeHeader(this.#slot, {
      state: (['live', 'offered', 'done'] as const)[below(random, 3)]!,
      sessionId: SESSION_ID,
      generation: [0, 1, 5, 2 ** 31, 2 ** 32 - 1][below(random, 5)]!,
      target: below(random, this.#nextId + 2),
    })
    const { read: received, written: sent } = this.#counts
    for (const sequence of [0, 1]) {
      const sealed = this.#leaked[below(random, this.#leaked.length)]!
      const functionName = ['echo', 'other'][below(random, 2)]!
      const generation = below(random, 4)
      file.writeCheckpoint(this.#slot, sequence, {
        ...{ sessionId: SESSION_ID, functionName, generation, received, sent, sealed },
      })
    }
    if (below(random, 2) === 0) this.#die(liar, () => this.#startLiar())
    if (below(random, 4) === 0) this.clock.pass(below(random, DOUBT))
  }

  /**
   * Carries bytes to and fro until none are left. All that have the connection write to the client, the
   * first reads from it.
   */
  settle(): void {
    for (let quiet = false; !quiet; ) {
      quiet = true
      for (const [, { stream }] of [...this.owners]) {
        const down = stream.take()
        this.#counts.written += down.length
        if (down.length > 0) this.#toClient(down)
        quiet &&= down.length === 0
      }
      const up = concat(...this.#client.takeOutput())
      const [reader] = this.owners.values()
      if (up.length === 0 || reader === undefined) continue
      quiet = false
      this.#counts.read += up.length
      reader.stream.receive(up)
    }
  }

  #toClient(bytes: Uint8Array): void {
    for (const event of this.#client.receive(bytes)) {
      if (event.type === 'alert') throw event.error
      if (event.type !== 'application_data') continue
      for (const one of this.#http.receive(event.data)) {
        if (one.type === 'error') throw new Error(one.reason)
        if (one.type === 'end') this.answered++
      }
    }
  }

  /**
   * No two containers have it, and nothing has been sealed twice under one nonce, be it record or checkpoint.
   */
  check(): void {
    expect(this.owners.size).toBeLessThanOrEqual(1)
    const seen = new Set<string>()
    for (const { key, nonce } of this.ledger.entries) {
      const name = `${key} ${nonce}`
      expect(seen.has(name), name).toBe(false)
      seen.add(name)
    }
  }
}

describe.runIf(native.available)('a container that lies about a connection it never had', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())

  it('does not have it cloned while its owner lives and is idle, whatever it says before it dies', () => {
    const random = seeded(1)
    world.ask()
    const [owner] = world.owners.keys()
    for (let round = 0; round < 200; round++) world.lie(random)
    world.clock.pass(2 * DOUBT)
    expect([[...world.owners.keys()], world.takenOver, world.over]).toEqual([[owner], 0, false])
    world.ask()
    expect(world.answered).toBe(2)
    world.check()
  })

  it('does not keep it from going on when its owner dies, nor from whom it went to', () => {
    const random = seeded(2)
    world.ask()
    world.lie(random)
    world.crash()
    expect(world.takenOver).toBe(1)
    world.move(random, 'taken', () => world.lie(random))
    world.ask()
    world.crash()
    expect([world.takenOver, world.over]).toEqual([2, false])
    world.ask()
    expect(world.answered).toBe(3)
    world.check()
  })

  it('neither among moves and deaths at random', () => {
    let takenOver = 0
    for (let round = 0; round < (LONG ? 1000 : 25); round++) {
      world.close()
      world = new World()
      const random = seeded(1000 + round)
      for (let step = 0; step < 30 && !world.over; step++) {
        const what = below(random, 8)
        if (what < 2) world.ask()
        else if (what < 4) world.lie(random)
        else if (what === 4) world.crash()
        else if (what === 5) world.crashAnother(random)
        else {
          const fate = (['taken', 'refused', 'taken late'] as const)[below(random, 3)]!
          world.move(random, fate, () => world.lie(random))
        }
        world.check()
      }
      // It was never on its way when a container died that had it: so it has gone on every time.
      expect([world.over, world.answered]).toEqual([false, world.asked])
      takenOver += world.takenOver
    }
    expect(takenOver).toBeGreaterThan(30)
  }, 600_000)
})
