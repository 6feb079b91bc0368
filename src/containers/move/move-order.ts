import type { MoveOutcome } from '../../transfer/control.ts'
import type { Envelope } from '../../transfer/envelope.ts'

/** What became of an order to move a connection. */
export interface MoveReport {
  readonly outcome: MoveOutcome
  /** Of the new owner; 0 unless moved. */
  readonly generation: number
  /** At most 255 characters. */
  readonly detail: string
}

/** An order to give a connection to a certain container. */
export class MoveOrder {
  readonly target: number
  /** Called with each envelope that is about to be sealed for it; undefined: none is looked at. */
  readonly travels: ((envelope: Envelope) => void) | undefined
  #done: ((report: MoveReport) => void) | undefined

  /** @param target the container's id @param done called once @param travels see there */
  constructor(target: number, done: (report: MoveReport) => void, travels?: (envelope: Envelope) => void) {
    this.target = target
    this.travels = travels
    this.#done = done
  }

  /** It has not been carried out, nor given up. */
  get open(): boolean {
    return this.#done !== undefined
  }

  /** Says what became of it; only the first word counts. */
  report(outcome: MoveOutcome, detail = '', generation = 0): void {
    const done = this.#done
    this.#done = undefined
    done?.({ outcome, generation, detail: detail.slice(0, 255) })
  }
}
