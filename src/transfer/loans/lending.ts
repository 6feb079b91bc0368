import { DecodeError, utf8 } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { ByteMap } from '../byte-map.ts'
import type { ControlMessage } from '../control.ts'
import { SealError, type Sealer } from '../seal.ts'
import {
  decodeLoan,
  decodeLoanAnswer,
  encodeLoan,
  encodeLoanAnswer,
  type LoanAnswer,
  type LoanRequest,
} from './loan.ts'

/** What a loan and its answer are sealed for, in the place of a session. */
const LOAN = { sessionId: utf8('hotpotato loan/1'), generation: 0 } as const
const LOANED = { sessionId: utf8('hotpotato lent/1'), generation: 0 } as const

/** What {@link Lending} has others do. */
export interface LendingHandlers {
  /** Sends a message. @returns false if that peer is not there */
  tell(to: number, message: ControlMessage): boolean
  /** A peer has lent a request. The answer may be given later, once. */
  lent(request: LoanRequest, from: number, settle: (answer: LoanAnswer) => void): void
  senseless(from: number, reason: string): void
}

interface Lent {
  readonly ticket: Uint8Array
  readonly target: number
  readonly settle: (answer: LoanAnswer | undefined) => void
}

/** The requests that a process has lent to its peers, and has been lent. */
export class Lending {
  readonly #sealer: Sealer
  readonly #handlers: LendingHandlers
  /** By their tickets. */
  readonly #lent = new ByteMap<Lent>()

  constructor(sealer: Sealer, handlers: LendingHandlers) {
    this.#sealer = sealer
    this.#handlers = handlers
  }

  /** Lends a request. @param settle called once, with undefined if the peer is not there (any more) */
  lend(
    target: number,
    request: LoanRequest,
    ticket: Uint8Array,
    settle: (answer: LoanAnswer | undefined) => void,
  ): void {
    try {
      const sealed = this.#sealer.seal(target, LOAN, encodeLoan(request))
      if (this.#handlers.tell(target, { kind: 'loan', ticket, sealed }))
        this.#lent.set(ticket, { ticket, target, settle })
      else settle(undefined)
    } catch (error) {
      if (!(error instanceof SealError)) throw error
      settle(undefined)
    }
  }

  /** A peer has ended, or cannot be spoken to: it answers no more. */
  lost(id: number): void {
    for (const { ticket, target, settle } of [...this.#lent.values()]) {
      if (target !== id) continue
      this.#lent.delete(ticket)
      settle(undefined)
    }
  }

  /** A request that a peer lends. */
  lent(from: number, ticket: Uint8Array, sealed: Uint8Array): void {
    const settle = (answer: LoanAnswer): void => {
      try {
        const sealedAnswer = this.#sealer.seal(from, LOANED, encodeLoanAnswer(answer))
        this.#handlers.tell(from, { kind: 'loaned', ticket, sealed: sealedAnswer })
      } catch (error) {
        // The lender has gone meanwhile.
        if (error instanceof SealError) return
        // What a function has answered may be nothing that can be written down.
        if (answer.outcome === 'refused') throw error
        settle({ outcome: 'refused', reason: 'broken', detail: reasonOf(error).slice(0, 255) })
      }
    }
    this.#opened(from, () =>
      this.#handlers.lent(decodeLoan(this.#sealer.open(from, LOAN, sealed)), from, settle),
    )
  }

  /** What came of a request that we have lent. */
  answered(from: number, ticket: Uint8Array, sealed: Uint8Array): void {
    const loan = this.#lent.get(ticket)
    if (loan?.target !== from) {
      this.#handlers.senseless(from, 'the answer to a request that was not lent to it')
      return
    }
    this.#opened(from, () => {
      const answer = decodeLoanAnswer(this.#sealer.open(from, LOANED, sealed))
      this.#lent.delete(ticket)
      loan.settle(answer)
    })
  }

  #opened(from: number, open: () => void): void {
    try {
      open()
    } catch (error) {
      if (!(error instanceof SealError || error instanceof DecodeError)) throw error
      this.#handlers.senseless(from, error.message)
    }
  }
}
