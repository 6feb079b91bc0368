import { loadFunction } from '../../functions/load.ts'
import type { FunctionModule } from '../../functions/module.ts'
import type { Program } from '../../functions/programs/program.ts'
import type { SealedModule } from '../../functions/sealed/sealed-function.ts'
import { secretsIn } from '../../functions/secrets.ts'
import { type Exceeded, limitsFor } from '../../http/h2/index.ts'
import { bounded, wrapped } from '../../platform/counters/calls.ts'
import { memoryCounters } from '../../platform/counters/memory.ts'
import { compileEarly } from '../../platform/engine.ts'
import type { Log } from '../../platform/log.ts'
import {
  giveUp,
  join,
  type MemberSettings,
  type Membership,
  nameLog,
  readSettings,
} from '../../platform/membership.ts'
import { waitsForSettings } from '../../platform/own-process.ts'
import { tableOf } from '../../platform/routing/route-table.ts'
import type { WorkerSettings } from '../../platform/worker-settings.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { Certificate } from '../../tls13/index.ts'
import { SUPERVISOR } from '../../transfer/channel.ts'
import type { ControlMessage, Peer } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { AccessLog } from '../protocol/access-log.ts'
import { pendingCalls } from '../protocol/pending.ts'
import { demandOf } from './client-rules.ts'
import { emptied } from './emptied.ts'
import { handlersOf, Place } from './handlers.ts'
import { Host } from './host.ts'
import { KeyRing } from './key-ring.ts'
import { fillCertificates, signingOf, tlsConfig } from './own-tls.ts'
import { BusyError, Rehearsal } from './rehearsal.ts'
import { restrain } from './restraint.ts'
import { connectionLimits } from './shapes.ts'
import type { Signing } from './signing.ts'
import { surviveStrays } from './strays.ts'
import { giveVariables } from './variables.ts'
import { warmUp } from './warm-up.ts'
import { warmWords } from './warm-words.ts'

/**
 * Entry point of a container's process: it joins the others, loads its one function and its one certificate,
 * and serves the connections that arrive as parcels.
 */
export async function main(): Promise<void> {
  const settings = readSettings<WorkerSettings>()
  restrain(settings.restraint)
  const begin = await enter(settings)
  await begin(settings)
}

/**
 * Joins the others, as a container whose function need not be known yet.
 * @returns what makes it that container, to be called once
 */
export async function enter(known: MemberSettings): Promise<(settings: WorkerSettings) => Promise<void>> {
  const clock = SYSTEM_CLOCK
  let host: Host | undefined
  let program: Program | undefined
  let sealed: SealedModule | undefined
  const place = new Place()
  let strays = { uncaught: 0 }
  /** Moves, and whether more of them are underway without pauses. */
  const rehearsed = { rehearsed: 0, rehearsing: 0 }
  let signing: Signing | undefined
  let ready = false
  const handlers = {
    ...handlersOf(place, {
      control: (message, from) => control(message, from),
      nonsense: (from, reason) => log.warn({ from, reason }, 'a malformed message'),
    }),
    introduced: (peer: Peer) => {
      place.introduced(peer)
      if (!ready && peer.role === 'gateway') courier.tell(peer.id, { kind: 'thaws' })
    },
  }
  const membership = await join(known, handlers)
  const { courier, log, provider, publicKey } = membership
  courier.introductions.defer(['signer', 'gateway', 'container'])
  if (waitsForSettings()) courier.tell(SUPERVISOR, { kind: 'present', publicKey })

  const control = (message: ControlMessage, from: number): void => {
    if (message.kind === 'stop') void stop(clock, host, program ?? sealed, membership)
    if (signing?.take(message, from) === true || host === undefined) return
    switch (message.kind) {
      case 'statusRequest':
        courier.tell(
          from,
          status(host, courier, { ...strays, ...rehearsed, ...signing?.counters, ...program?.counters() }),
        )
        return
      case 'drain':
        host.drain()
        return
      case 'sleep':
        host.sleep()
        return
      case 'draining':
        host.leaves(message.id)
        return
      case 'loads':
        host.loads(message.loads)
        return
      case 'routes':
        host.routes(tableOf(message))
        return
      case 'connectionsRequest':
        courier.tell(from, { kind: 'connections', connections: host.list() })
        return
      case 'watch':
        host.lookout.watch(message.milliseconds, message.most, sights => courier.tell(from, sights))
        return
      case 'vacate':
        host.vacated(message.sessionId, from)
        return
      case 'move': {
        const { sessionId, target } = message
        host.move(sessionId, target, report => courier.tell(from, { kind: 'moved', sessionId, ...report }))
        return
      }
      case 'reveal': {
        const { sessionId, target } = message
        host.reveal(sessionId, target, told => courier.tell(from, { kind: 'revealed', sessionId, ...told }))
      }
    }
  }

  return begin

  async function begin(settings: WorkerSettings): Promise<void> {
    const { warmed = false } = settings
    if (warmed) nameLog(log, settings)
    signing = signingOf(settings, provider, clock, courier)
    const certificates: Certificate[] = signing?.certificates ?? []
    const certify = (): Promise<void> => fillCertificates(certificates, settings, provider, signing)
    const tellFailure = (error: unknown): void => {
      const reason = reasonOf(error)
      log.fatal({ err: error }, 'cannot start')
      courier.tell(SUPERVISOR, { kind: 'failed', reason: reason.slice(0, 1024) })
    }
    const failed = (error: unknown): void => {
      tellFailure(error)
      giveUp(clock)
    }
    // The signer tells the ring of our function meanwhile, and for which certificates it signs.
    if (settings.signer && !warmed) courier.tell(SUPERVISOR, { kind: 'present', publicKey })
    courier.introductions.admit('signer')
    try {
      const demand = await demandOf(provider, settings.functionName, settings.clientAuthorities)
      const spans = settings.tls.tickets
      program = await programOf(settings, clock, log)
      sealed = await sealedOf(settings, clock, membership)
      const keyRing = new KeyRing(provider, { ...spans, rules: demand.digest, now: () => clock.steady() })
      if (!warmed) await certify()
      const tls = tlsConfig(settings, provider, certificates, keyRing, demand, text => log.warn(text))
      giveVariables(settings.environment, process.env)
      host = new Host({
        keyRing,
        container: settings.name,
        functionName: settings.functionName,
        module: program?.module ?? sealed ?? (await moduleOf(settings, clock, log)),
        environment: settings.environment,
        secrets: secretsIn(settings.secretsDirectory),
        functionNames: new Set(settings.functionNames),
        retries: new Map(Object.entries(settings.retries)),
        signing,
        tls,
        routes: settings.routes,
        limits: connectionLimits({
          timers: settings.timers,
          handlerKey: settings.handlerKey,
          quietMilliseconds: settings.quietMilliseconds,
          http: settings.http,
          http2: limitsFor(settings.http.headBytes, settings.streams),
        }),
        clock,
        log,
        memoryBytes: settings.memoryBytes,
        maxInflight: settings.maxInflight,
        accessLog: AccessLog.of(settings.accessLog, log, clock),
        queueMark: settings.frontDoor?.mark,
        warm: settings.warm,
        teach: settings.teach,
      })
    } catch (error) {
      failed(error)
      return
    }
    // What may bring upstreams along is taken at once, or not at all.
    if (host.module.resume !== undefined) await host.upstreams.load()
    strays = surviveStrays(clock, log)
    if (settings.followsCalls) pendingCalls.follow()
    host.connect(courier)
    place.open(host)
    clock.every(settings.tls.tickets.rotationSeconds * 1000, () => host?.shareKeys()).unref()
    if (!warmed) practise(host, practises(settings))
    if (settings.signer) {
      // First the word that a signer is there, then its own: both may have come while a module was loaded.
      for (let round = 0; round < 2; round++) courier.catchUp()
      await ringOrNot(place, clock, log)
    }
    // What a gateway that knows us already has kept comes first: that takes no certificate.
    courier.introductions.admit('gateway')
    if (warmed) {
      await new Promise<void>(resolve => clock.after(THAWING, resolve))
      try {
        await certify()
      } catch (error) {
        tellFailure(error)
        host.sleep()
        await emptied(clock, () => host!.size + courier.inCustody)
        giveUp(clock)
        return
      }
    }
    ready = true
    courier.introductions.admit('container')
    const { rehearsesAtOnce = 0 } = settings
    rehearsed.rehearsing = rehearsesAtOnce > 0 ? 1 : 0
    courier.tell(SUPERVISOR, { kind: 'ready', publicKey })
    log.info(
      { functionName: settings.functionName, provider: provider.name, channel: settings.channel },
      'ready',
    )
    const end = clock.steady() + rehearsesAtOnce
    const late = (): boolean => clock.steady() >= end
    const goesOn = rehearsesAtOnce === 0 || (await rehearse(host, settings, rehearsed, 0, late, log))
    rehearsed.rehearsing = 0
    if (goesOn) await rehearse(host, settings, rehearsed, PAUSE, () => false, log)
  }
}

/** How many moves it practises at most before it serves: none where clients wait for it. */
function practises({ awaited, rehearsals }: WorkerSettings): number {
  return awaited === true ? 0 : rehearsals
}

/** Milliseconds after which a container that practises nothing compiles early what is called often. */
const SETTLED = 1000

/**
 * What the first clients would wait for otherwise. The engine is told to compile early after Node's own
 * modules have come: what it is told makes it compile those anew.
 * @param rehearsals as in {@link warmUp}
 */
function practise({ tls, limits, clock }: Host, rehearsals: number): void {
  if (rehearsals === 0) {
    clock.after(SETTLED, () => compileEarly()).unref()
    return
  }
  compileEarly()
  // Without a certificate there is no handshake to practise.
  if (tls.certificates.length > 0) warmUp(tls, limits.http, clock, rehearsals)
  warmWords()
}

/** Milliseconds in which what a gateway has kept comes, before this process reads its certificate. */
const THAWING = 4

/** Milliseconds that a start waits for the ring of its function: a signer that hangs is replaced by then. */
const RING = 10_000

/** What dead containers have left can be opened from here on, if the signer is there. */
async function ringOrNot(place: Place, clock: Clock, log: Log): Promise<void> {
  let late: Timer | undefined
  const time = new Promise<true>(resolve => {
    late = clock.after(RING, () => resolve(true))
  })
  if ((await Promise.race([place.ring(), time])) === true)
    log.warn('the signer did not answer: what earlier containers have left may be lost')
  late?.stop()
}

/** Milliseconds between a few moves that are rehearsed in idle time. */
const PAUSE = 50

/**
 * Rehearses until there is enough of it.
 * @param pause as in {@link Rehearsal.run} @param late whether the time for it is over
 * @returns false if it was given up
 */
async function rehearse(
  host: Host,
  { channel, rehearsals, warm = [] }: WorkerSettings,
  sum: { rehearsed: number },
  pause: number,
  late: () => boolean,
  log: Log,
): Promise<boolean> {
  const before = sum.rehearsed
  // Real moves are as good.
  const isEnough = (): boolean => host.counters.accepted + sum.rehearsed >= rehearsals
  if (channel !== 'native' || isEnough()) return false
  const { tls, limits, module, clock } = host
  try {
    const kinds = { kind: module.kind, varied: true, warm: warm.length > 0 }
    const rehearsal = new Rehearsal({ tls, limits, clock, ...kinds })
    const enough = (): boolean => {
      sum.rehearsed = before + rehearsal.moves
      return host.draining || late() || isEnough()
    }
    await rehearsal.run(pause, enough)
    log.debug({ moves: sum.rehearsed }, 'rehearsed')
    return true
  } catch (error) {
    if (error instanceof BusyError)
      log.info({ moves: host.counters.accepted }, `no more moves are rehearsed: ${error.message}`)
    else log.warn({ err: error }, 'the rehearsal of moves failed; the first moves will be slower')
    return false
  }
}

/** What is not needed is not loaded. @throws FunctionError it does not get ready */
async function programOf(settings: WorkerSettings, clock: Clock, log: Log): Promise<Program | undefined> {
  const { program, functionName, name, environment } = settings
  if (program === undefined) return undefined
  const { loadProgram } = await import('../../functions/programs/load.ts')
  return loadProgram({ settings: program, functionName, container: name, environment, clock, log })
}

/** A module of the user's, or what keeps asynchronous calls. @throws FunctionError */
async function moduleOf(settings: WorkerSettings, clock: Clock, log: Log): Promise<FunctionModule> {
  const { queue, frontDoor, handler, lang } = settings
  if (queue === undefined || frontDoor === undefined)
    return loadFunction(handler, undefined, lang, practises(settings) === 0)
  const { queueModule } = await import('../../queue/module.ts')
  return queueModule(queue, { frontDoor, clock, log })
}

/** The same. @throws FunctionError there is no bundle */
async function sealedOf(
  settings: WorkerSettings,
  clock: Clock,
  { provider: crypto, log }: Membership,
): Promise<SealedModule | undefined> {
  if (settings.sealed === undefined) return undefined
  const { loadSealed } = await import('../sealed/load.ts')
  return loadSealed(settings, { crypto, clock, log })
}

function status(
  host: Host,
  { inCustody, carriedBytes }: Courier,
  more: Readonly<Record<string, number>>,
): ControlMessage {
  const counters = {
    ...host.counters,
    ...more,
    ...named(host.exceeded),
    connections: host.size,
    busy: host.busy,
    rooted: host.rooted,
    ...host.heldUp,
    keyRing: host.keyRing.size,
    checkpoints: host.keyRing.sealed,
    inCustody,
    carriedBytes,
    heldBytes: bounded(host.memory.held),
    shed: host.memory.shed,
    calls: host.traffic.calls,
    inFlight: host.traffic.inFlight,
    messages: host.traffic.messages,
    tooMany: host.traffic.refused,
    ...Object.fromEntries(host.traffic.counters()),
    ...host.module.counters?.(),
    ...memoryCounters(),
  }
  return {
    kind: 'status',
    counters: Object.entries(counters).map(([name, value]) => ({ name, value: wrapped(value) })),
  }
}

/** As `http2Resets`: beside the other counters. */
function named(exceeded: Exceeded): Record<string, number> {
  return Object.fromEntries(
    Object.entries(exceeded).map(([name, count]) => [
      `http2${name[0]!.toUpperCase()}${name.slice(1)}`,
      count,
    ]),
  )
}

/** Milliseconds that clients have to take their goodbye. */
const FAREWELL = 250

async function stop(
  clock: Clock,
  host: Host | undefined,
  processes: { stop(): Promise<void> | void } | undefined,
  { courier, log }: Membership,
): Promise<void> {
  await host?.stop()
  await processes?.stop()
  log.info('stopped')
  clock.after(FAREWELL, () => {
    courier.close()
    process.exit(0)
  })
}

if (!waitsForSettings()) await main()
