import { wrapped } from '../platform/counters/calls.ts'
import { memoryCounters } from '../platform/counters/memory.ts'
import { compileEarly, staySmall } from '../platform/engine.ts'
import type { GatewaySettings } from '../platform/gateway-settings.ts'
import { giveUp, join, type Membership, readSettings } from '../platform/membership.ts'
import { tableOf } from '../platform/routing/route-table.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { SUPERVISOR } from '../transfer/channel.ts'
import type { ControlMessage } from '../transfer/control.ts'
import type { CourierHandlers } from '../transfer/courier.ts'
import { reasonOf } from '../wire/thrown.ts'
import { prepareCarriers } from './carriers.ts'
import { Gateway } from './gateway.ts'
import { prepareHibernation } from './hibernation/prepare.ts'

/** Entry point of the gateway's process. */
async function main(): Promise<void> {
  compileEarly()
  staySmall()
  const settings = readSettings<GatewaySettings>()
  const clock = SYSTEM_CLOCK
  let gateway: Gateway | undefined
  const handlers: CourierHandlers = {
    parcel: () => ({ reason: 'malformed', detail: 'a gateway accepts no connections from containers' }),
    relayed: (...relayed) => gateway?.relay(...relayed) ?? (gateway === undefined ? NOT_READY : undefined),
    hibernated: (...kept) => gateway?.hibernated(...kept) ?? (gateway === undefined ? NOT_READY : undefined),
    introduced: peer => gateway?.introduced(peer),
    expected: peer => gateway?.expected(peer),
    gone: id => gateway?.gone(id),
    lost: (id, reason) => {
      gateway?.unreachable(id)
      courier.tell(SUPERVISOR, { kind: 'unreachable', id, reason })
    },
    control: (message, from) => control(message, from),
    nonsense: (from, reason) => membership.log.warn({ from, reason }, 'a malformed message'),
  }
  // Once: another gateway takes our place, and until then we go on. Twice: now.
  let terminated = false
  const onTerminate = (): void => {
    if (terminated) control({ kind: 'stop' }, SUPERVISOR)
    else courier.tell(SUPERVISOR, { kind: 'leaving' })
    terminated = true
  }
  const membership: Membership = await join(settings, handlers, onTerminate)
  const { courier, log, publicKey } = membership

  const control = (message: ControlMessage, from: number): void => {
    switch (message.kind) {
      case 'statusRequest':
        if (gateway !== undefined) courier.tell(from, status(gateway, courier.inCustody))
        return
      case 'draining':
        gateway?.draining(message.id)
        return
      case 'thaws':
        gateway?.thaws(from)
        return
      case 'begins':
        gateway?.begins(message.id)
        return
      case 'slumber':
        gateway?.slumbers(message.functionName, message.phase)
        return
      case 'loads':
        gateway?.loads(message.loads)
        return
      case 'proofs':
        gateway?.proofs(message)
        return
      case 'routes':
        gateway?.routes(tableOf(message))
        return
      case 'drain':
        log.info('another gateway has taken over')
        // On the other channel a message carries one descriptor.
        gateway?.makeWay(settings.channel === 'native')
        return
      case 'stop': {
        gateway?.close()
        log.info('stopped')
        const until = clock.steady() + RELAYED_FAREWELL
        clock.every(FAREWELL, () => {
          if (gateway?.finished !== false || clock.steady() > until) process.exit(0)
        })
      }
    }
  }

  const refuse = (reason: string): void => {
    log.fatal(reason)
    courier.tell(SUPERVISOR, { kind: 'failed', reason: reason.slice(0, 1024) })
    giveUp(clock)
  }

  const options = settings.gateway
  const functionNames = new Set(options.functionNames)
  const carriers = new Map(Object.entries(options.carriers))
  const [httpSocket = -1, httpsSocket = -1] = settings.descriptors
  try {
    gateway = new Gateway(
      { ...options, functionNames, carriers },
      { http: httpSocket, https: httpsSocket },
      courier,
      log,
      clock,
      await prepareCarriers(settings),
      prepareHibernation(settings),
    )
    if (settings.proofs !== undefined) gateway.proofs(settings.proofs)
    const { http, https } = await gateway.listen()
    log.info({ host: options.host, http, https }, 'listening')
  } catch (error) {
    refuse(reasonOf(error))
    return
  }
  courier.tell(SUPERVISOR, { kind: 'ready', publicKey })
}

const NOT_READY = { reason: 'draining', detail: 'the gateway is not ready yet' } as const

/** Milliseconds that clients have to take their goodbye. */
const FAREWELL = 100
/** And at most, if their connections are relayed. */
const RELAYED_FAREWELL = 2000

function status(gateway: Gateway, inCustody: number): ControlMessage {
  const counters = {
    ...gateway.counters,
    connections: gateway.size,
    ...gateway.carried,
    ...gateway.hibernation,
    proofsShown: gateway.proofsShown,
    inCustody,
    heldBytes: gateway.memory.held,
    shed: gateway.memory.shed,
    ...memoryCounters(),
  }
  return {
    kind: 'status',
    counters: Object.entries(counters).map(([name, value]) => ({ name, value: wrapped(value) })),
  }
}

await main()
