import { MoveOrder } from '../../src/containers/move/move-order.ts'
import { AccessLog } from '../../src/containers/protocol/access-log.ts'
import { Traffic } from '../../src/containers/protocol/traffic.ts'
import type { FetchHandler, ResumeFunction } from '../../src/functions/contract.ts'
import { FakeHost, type Offer, turn } from './connection-scene.ts'
import { HandClock } from './hand-clock.ts'

/** A container with another one of its function beside it. Its calls are counted, and told of. */
export class ResponseHost extends FakeHost {
  override readonly container: 'echo-1'
  readonly traffic = new Traffic()
  /** What the access log says. */
  readonly lines: { status: number; bytes: number; milliseconds: number }[] = []
  readonly accessLog: AccessLog
  readonly hands: HandClock

  constructor(
    fetch: FetchHandler['fetch'],
    resume?: ResumeFunction,
    container = 'echo-1',
    hands = new HandClock(),
  ) {
    super(undefined, { clock: hands })
    this.hands = hands
    this.container = container as 'echo-1'
    this.module = { kind: 'fetch', file: 'test', fetch, ...(resume && { resume }) }
    this.available.add('echo')
    const write = (entry: object): void => {
      this.lines.push((entry as { access: ResponseHost['lines'][number] }).access)
    }
    this.accessLog = new AccessLog('json', write as never, hands)
  }
}

/** Has a connection leave, and waits for the offer. @returns it, and what the order was answered with */
export async function offered(
  host: FakeHost,
  connection: { moveTo(order: MoveOrder): void },
): Promise<{ readonly offer: Offer; readonly frozen: Uint8Array; readonly reports: string[] }> {
  const reports: string[] = []
  connection.moveTo(new MoveOrder(2, ({ outcome, detail }) => reports.push(`${outcome} ${detail}`.trim())))
  for (let turns = 0; turns < 4; turns++) await turn()
  const offer = host.offers.at(-1)
  if (offer === undefined) throw new Error('it is not offered')
  return { offer, frozen: await offer.frozen, reports }
}

/** A promise, and what fulfils it. */
export function gate<T = void>() {
  let open!: (value: T) => void
  const passed = new Promise<T>(resolve => {
    open = resolve
  })
  return { passed, open }
}
