import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'
import type { ControlMessage } from '../transfer/control.ts'
import type { Replica } from './replica.ts'
import type { Counters } from './status.ts'

/** Milliseconds that connections have to leave an old process, and between two looks. */
const DRAIN_TIMEOUT = 30_000
const DRAIN_POLL = 20

/** What a retirement asks of the supervisor. */
export interface Retiring {
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds for a process to end by itself. */
  readonly stopTimeout: number
  /** What a process has counted. */
  ask(id: number): Promise<Counters>
  lives(id: number): boolean
  tell(id: number, message: ControlMessage): void
}

/**
 * Lets the connections of a process that was ready go elsewhere, and ends it.
 * @param how where they go: to siblings (`drain`), or also to a gateway (`sleep`)
 * @param report called with the connections that it still has @returns how many moved
 */
export async function retire(
  { name, member }: Replica,
  how: 'drain' | 'sleep',
  { clock, log, stopTimeout, ask, lives, tell }: Retiring,
  report: ((left: number) => void) | undefined,
): Promise<number> {
  const { id, child } = member!
  const before = (await ask(id)).moved ?? 0
  const ended = new Promise(resolve => child.once('exit', resolve))
  tell(id, { kind: how })
  let counters = await ask(id)
  const end = clock.steady() + DRAIN_TIMEOUT
  while (lives(id) && isBusy(counters) && clock.steady() < end) {
    await new Promise<void>(resolve => clock.after(DRAIN_POLL, resolve))
    counters = { ...counters, ...(await ask(id)) }
    report?.(counters.connections ?? 0)
  }
  log.info({ left: counters.connections }, `${name} is drained`)
  if (lives(id)) {
    tell(id, { kind: 'stop' })
    const timer = clock.after(stopTimeout, () => child.kill('SIGKILL'))
    await ended
    timer.stop()
  }
  return (counters.moved ?? 0) - before
}

function isBusy({ connections, inCustody, relayed = 0, hibernating = 0 }: Counters): boolean {
  return connections !== 0 || inCustody !== 0 || relayed !== 0 || hibernating !== 0
}
