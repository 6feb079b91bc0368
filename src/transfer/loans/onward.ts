import type { Clock } from '../../time/clock.ts'
import { ASK_AGAIN } from '../custody.ts'
import type { LoanAnswer } from './loan.ts'

/**
 * Lends a request to one container after the other, as long as each is about to stop: such a one has done
 * nothing with it.
 * @param choose the id of a container that is none of these; undefined: there is none left
 * @param settle called once; with the last refusal if all refuse, with undefined if a container is gone or
 * there was none
 */
export function lendOnward(
  choose: (refusedBy: ReadonlySet<number>) => number | undefined,
  lend: (target: number, settle: (answer: LoanAnswer | undefined) => void) => void,
  settle: (answer: LoanAnswer | undefined) => void,
): void {
  const refusedBy = new Set<number>()
  const next = (refusal: LoanAnswer | undefined): void => {
    const target = choose(refusedBy)
    if (target === undefined) {
      settle(refusal)
      return
    }
    refusedBy.add(target)
    lend(target, answer => {
      if (isBusy(answer)) next(answer)
      else settle(answer)
    })
  }
  next(undefined)
}

/** For how long a request that all refuse waits for a container that takes it. */
export interface LoanPatience {
  readonly clock: Pick<Clock, 'steady' | 'after'>
  /** 0: for ever. */
  readonly milliseconds: number
  /** Whether there is a container that can be asked. */
  reaches(): boolean
  /** Whether its client still waits for it. */
  wanted(): boolean
}

/**
 * Lends a request, and again as long as all containers are about to stop.
 * @param lend asks all of them @param settle called once, with the last refusal if the time is over; never
 * if it is not wanted any more
 */
export function lendInTime(
  lend: (settle: (answer: LoanAnswer | undefined) => void) => void,
  { clock, milliseconds, reaches, wanted }: LoanPatience,
  settle: (answer: LoanAnswer | undefined) => void,
): void {
  const until = milliseconds === 0 ? Number.POSITIVE_INFINITY : clock.steady() + milliseconds
  const attempt = (): void =>
    lend(answer => (isBusy(answer) && clock.steady() < until ? wait(answer) : settle(answer)))
  const wait = (refusal: LoanAnswer | undefined): void => {
    clock.after(ASK_AGAIN, () => {
      if (!wanted()) return
      if (reaches()) attempt()
      else if (clock.steady() < until) wait(refusal)
      else settle(refusal)
    })
  }
  attempt()
}

function isBusy(answer: LoanAnswer | undefined): boolean {
  return answer?.outcome === 'refused' && answer.reason === 'busy'
}
