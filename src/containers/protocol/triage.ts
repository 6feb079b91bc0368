import type { H2Server } from '../../http/h2/index.ts'
import type { Announced } from '../../http/h2/owner.ts'
import type { RequestHead } from '../../http/message.ts'
import type { Problem } from '../../http/problem.ts'
import { timeoutProblem } from '../connection/timeout.ts'
import { CARRIED_BYTES, MovePolicy } from '../move/policy.ts'
import { unavailable } from '../move/unavailable.ts'
import type { Acceptance } from './acceptance.ts'
import type { ProtocolOwner, Refusal } from './protocol.ts'
import { type Waiting, WaitingRequests } from './waiting.ts'

/** What is asked of the protocol whose requests they are. */
export interface TriageOwner {
  readonly http: Pick<H2Server, 'unsent' | 'withheld'>
  /** Nothing is being served that keeps the connection here. */
  readonly quiet: boolean
  /** Milliseconds of the container's clock. */
  now(): number
}

/**
 * What becomes of the requests of one HTTP/2 connection: accepted here, held back, lent, or left unaccepted
 * in a connection that moves to where they are for.
 */
export class Triage {
  readonly waiting: WaitingRequests = new WaitingRequests()
  /** Those for here are held back, too: the connection is about to leave. */
  held = false
  /**
   * The functions whose containers did not take the connection: what waits for them is answered with that.
   */
  refusal: Refusal | undefined
  readonly #protocol: TriageOwner
  readonly #owner: ProtocolOwner
  readonly #acceptance: Pick<Acceptance, 'accept' | 'lend' | 'answer'>
  readonly #policy: MovePolicy

  constructor(protocol: TriageOwner, owner: ProtocolOwner, acceptance: Acceptance, refusal?: Refusal) {
    this.#protocol = protocol
    this.#owner = owner
    this.#acceptance = acceptance
    this.#policy = new MovePolicy(owner.host.limits.quietMilliseconds)
    this.refusal = refusal
  }

  /** It is accepted here, or waits for another container. */
  announced(request: Announced, head: RequestHead): void {
    const { host } = this.#owner
    const functionName = host.ownerOf(head.path, head.host)?.functionName ?? host.functionName
    const interrupted = this.#owner.refuse(head.method, functionName, false)
    if (interrupted !== undefined) {
      this.#acceptance.answer({ request, head }, interrupted)
      return
    }
    const one = { request, head, functionName, since: this.#protocol.now() }
    const elsewhere = functionName !== host.functionName
    if (elsewhere && this.refusal?.functionName === functionName) {
      this.#acceptance.answer({ request, head }, this.refusal.answer)
      return
    }
    if (elsewhere) this.#policy.foreign(functionName)
    else this.#policy.own(this.waiting.size > 0)
    if (elsewhere || this.held) this.waiting.set(request.streamId, one)
    else this.#acceptance.accept(one)
  }

  /** What was held back is served here after all. */
  acceptOwn(): void {
    const { host } = this.#owner
    const own = [...this.waiting.values()].filter(one => one.functionName === host.functionName)
    for (const one of this.waiting.take(own, this.#owner)) this.#acceptance.accept(one)
  }

  /** What waits for a container has waited for long enough. */
  expired(): void {
    const reachable = new Set(this.waiting.reachable(this.#owner))
    const lost = [...this.waiting.values()].filter(one => !reachable.has(one))
    for (const one of this.waiting.take(lost, this.#owner))
      this.#acceptance.answer(one, timeoutProblem('container', this.#owner.host.limits, one))
  }

  /** One that waits is answered with that. */
  giveUp(streamId: number, what: Problem): void {
    const one = this.waiting.get(streamId)
    this.waiting.delete(streamId)
    if (one !== undefined) this.#acceptance.answer(one, what)
  }

  /**
   * What becomes of the requests that wait: see `policy.ts`.
   * @returns whether the connection is not ours any more, and otherwise when to ask again, if at a certain
   * time
   */
  decide(): boolean | { readonly at: number } {
    if (!this.#owner.open) return true
    const { waiting } = this
    const reachable = waiting.reachable(this.#owner)
    const first = reachable[0]
    if (first === undefined) return false
    const { http, quiet } = this.#protocol
    const busy = !quiet || waiting.ballast(http, first.functionName) > CARRIED_BYTES
    const waited = this.#protocol.now() - first.since
    // Requests are held back for a move that is on its way; they are lent if it takes too long.
    const decision = this.held
      ? busy && waited >= this.#policy.bound
        ? 'lend'
        : 'wait'
      : this.#policy.decide(busy, waited)
    if (decision === 'wait') return busy && { at: first.since + this.#policy.bound + 1 }
    if (decision === 'move' && this.#owner.move(first.functionName)) return true
    const some = reachable.filter(one => decision === 'lend' || one.functionName === first.functionName)
    for (const one of waiting.take(some, this.#owner)) this.#leaveHere(one, decision === 'lend')
    return this.decide()
  }

  /** It is served from here, although it is for elsewhere. */
  #leaveHere(one: Waiting, lends: boolean): void {
    if (lends) this.#acceptance.lend(one)
    else this.#acceptance.answer(one, unavailable(one.functionName, 'none ready'))
  }
}
