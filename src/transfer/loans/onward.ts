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
      if (answer?.outcome === 'refused' && answer.reason === 'busy') next(answer)
      else settle(answer)
    })
  }
  next(undefined)
}
