import { infoOf } from '../../functions/contract.ts'
import { prepareTrailers } from '../../http/h2/outgoing.ts'
import type { Account, Holder, MemoryBudget } from '../../http/memory-budget.ts'
import type { Field, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { ResponseSink } from '../../http/serving.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import type { LoanAnswer, LoanRequest } from '../../transfer/loans/loan.ts'
import { Guard } from '../../transport/guard.ts'
import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { ConnectionLimits } from '../connection/connection-host.ts'
import { timeoutProblem } from '../connection/timeout.ts'
import { LENT_BYTES } from '../move/policy.ts'
import type { Callee } from './call-context.ts'
import { FunctionCall } from './function-call.ts'
import { ownAnswer } from './own-answers.ts'

/** The container that serves it. */
interface Borrower extends Callee {
  readonly container: string
  readonly limits: Pick<ConnectionLimits, 'timers' | 'handlerKey'>
  readonly memory: MemoryBudget
}

/**
 * Serves a request that another container has lent to this one. @param settle called once, perhaps before
 * this returns
 */
export function serveBorrowed(
  request: LoanRequest,
  callee: Borrower,
  functionPath: string,
  settle: (answer: LoanAnswer) => void,
): void {
  const { method, target, host, path, query, body, tls, hops, requestIndex } = request
  const { clock, container, module } = callee
  if (module.sealed) {
    const detail = `the function ${callee.functionName} is sealed, and takes requests on its own connections`
    settle({ outcome: 'refused', reason: 'policy', detail })
    return
  }
  const { limits } = callee
  const connection = infoOf(tls ? request : undefined, request.remoteAddress, {
    hops,
    requestIndex,
    container,
  })
  const headers = request.headers.map(({ name, value }) => [name, value] as const)
  const fields: readonly Field[] = [
    ['x-hotpotato-container', container],
    ['x-hotpotato-hops', String(hops)],
  ]
  let timer: Timer | undefined
  const gathered = new Gathered(fields, callee.memory, clock, answer => {
    timer?.stop()
    settle(answer)
  })
  const own = ownAnswer(functionPath, callee, request)
  if (own !== undefined) {
    gathered.reply(own)
    return
  }
  const call = new FunctionCall(
    { method, target, version: '2', headers, host, path, query },
    callee,
    { functionPath, connection, timeout: limits.timers.handler, guard: gathered },
    gathered,
    { resume() {} },
  )
  gathered.onRefused = reason => call.cancel(reason)
  call.data(body)
  call.end()
  const { answerWithin: within } = call
  const time = within ?? limits.timers.handler
  if (time === 0 || gathered.begun) return
  timer = clock.after(time, () => {
    if (gathered.begun) return
    const what = timeoutProblem('handler', limits, { within })
    call.cancel(Object.assign(new Error(what.detail), { status: what.status }))
    gathered.reply(problem(what))
  })
}

/**
 * The same, whatever is thrown over it: one request's fault is its own. @returns fulfilled when it was
 * answered
 */
export function borrowed(
  request: LoanRequest,
  host: Borrower,
  functionPath: string,
  settle: (answer: LoanAnswer) => void,
): Promise<void> {
  return new Promise(resolve => {
    const guard = new Guard(error => {
      host.log.error({ err: error }, 'a borrowed request failed')
      resolve()
      settle({ outcome: 'refused', reason: 'broken', detail: reasonOf(error).slice(0, 255) })
    })
    guard.run(() =>
      serveBorrowed(request, host, functionPath, answer => {
        resolve()
        settle(answer)
      }),
    )
  })
}

/** Gathers a response, which travels whole. */
class Gathered implements ResponseSink, Holder {
  readonly #fields: readonly Field[]
  readonly #clock: Clock
  readonly #settle: (answer: LoanAnswer) => void
  #head: Parameters<ResponseSink['begin']>[0] | undefined
  #chunks: Uint8Array[] = []
  #bytes = 0
  over = false
  /** Told when the function's response is of no use any more. */
  onRefused: (reason: Error) => void = () => {}
  readonly #account: Account

  constructor(
    fields: readonly Field[],
    memory: MemoryBudget,
    clock: Clock,
    settle: (answer: LoanAnswer) => void,
  ) {
    this.#clock = clock
    this.#fields = fields
    this.#account = memory.open(this)
    this.#settle = settle
  }

  /** There is a response, or its beginning. */
  get begun(): boolean {
    return this.#head !== undefined || this.over
  }

  /** The function's bytes; of its client nothing is known here. */
  get progress(): number {
    return this.#bytes
  }

  weigh(): number {
    return this.over ? 0 : this.#bytes
  }

  shed(): boolean {
    const detail = 'its container holds all that it may for connections, and this response most of it'
    // Its function has run, and is not to run twice.
    this.#finish({ outcome: 'refused', reason: 'broken', detail })
    return true
  }

  /** The response travels whole: nothing goes ahead of it. */
  inform(): void {}

  reply({ status, headers = [], body = EMPTY }: ResponseView): void {
    const bytes = typeof body === 'string' ? utf8(body) : body
    if (bytes.length > LENT_BYTES) this.#refuse()
    else this.#answer(status, headers, undefined, bytes, [])
  }

  begin(head: Parameters<ResponseSink['begin']>[0]): void {
    this.#head = head
  }

  write(data: Uint8Array): undefined {
    this.#bytes += data.length
    if (this.#bytes > (this.#head?.length ?? Infinity))
      throw new RangeError('more content than Content-Length says')
    if (this.#bytes > LENT_BYTES) this.#refuse()
    // The function may use its memory again.
    else if (!this.over) {
      this.#chunks.push(data.slice())
      this.#account.weigh(this.#clock.steady())
    }
  }

  end(trailers: readonly Field[] = []): void {
    // The client speaks HTTP/2, and what it cannot be sent is this function's fault.
    const sent = prepareTrailers(trailers)
    const { status, headers, length } = this.#head!
    // Of no content at all, as to HEAD, the length that was told stays.
    if (this.#bytes > 0 && this.#bytes < (length ?? 0))
      throw new RangeError('less content than Content-Length says')
    const body = concat(...this.#chunks)
    this.#answer(status, headers, body.length === 0 ? length : undefined, body, sent)
  }

  abort(): void {
    this.#finish({ outcome: 'refused', reason: 'broken', detail: 'the response broke off' })
  }

  fail(error: unknown): void {
    const detail = reasonOf(error)
    this.#finish({ outcome: 'refused', reason: 'broken', detail: detail.slice(0, 255) })
  }

  #refuse(): void {
    const most = `${LENT_BYTES} bytes of content`
    const detail = `the response to a request on this connection may have at most ${most}`
    this.#finish({ outcome: 'refused', reason: 'broken', detail })
  }

  #answer(
    status: number,
    headers: readonly Field[],
    length: number | undefined,
    body: Uint8Array,
    trailers: readonly Field[],
  ): void {
    const fields = [...headers, ...this.#fields].map(fieldOf)
    this.#finish({
      outcome: 'answered',
      status,
      headers: fields,
      length,
      body,
      trailers: trailers.map(fieldOf),
    })
  }

  #finish(answer: LoanAnswer): void {
    if (this.over) return
    this.over = true
    this.#chunks = []
    this.#account.close()
    this.#settle(answer)
    if (answer.outcome === 'refused') this.onRefused(new Error(answer.detail))
  }
}

const fieldOf = ([name, value]: Field): { name: string; value: string } => ({ name, value })
