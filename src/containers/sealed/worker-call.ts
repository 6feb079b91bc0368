import type { ConnectionInfo } from '../../functions/contract.ts'
import { type CallHead, Credit, type Frame, uint32 } from '../../functions/sealed/frames.ts'
import type { Link } from '../../functions/sealed/link.ts'
import type { Field, RequestHead, ResponseView } from '../../http/message.ts'
import type { ResponseSink } from '../../http/serving.ts'
import { utf8 } from '../../wire/index.ts'
import type { Callee } from '../protocol/call-context.ts'
import { FunctionCall } from '../protocol/function-call.ts'

/** Bytes of a piece of content on the stream. */
const PIECE = 65_536

/** One request in the worker of a sealed function: frames become a call, and its response becomes frames. */
export class WorkerCall implements ResponseSink {
  readonly #id: number
  readonly #link: Link
  readonly #call: FunctionCall
  readonly #credit = new Credit()
  readonly #onDone: () => void
  /** What the function has asked to be waited for. */
  readonly #later: Promise<unknown>[] = []
  /** Bytes of content that have come, and for which no more may come yet. */
  #ungranted = 0
  #waits = false
  over = false

  constructor(id: number, head: CallHead, link: Link, callee: Callee, onDone: () => void) {
    this.#id = id
    this.#link = link
    this.#onDone = onDone
    const { functionPath, connection, timeout, callId } = head
    const own = { ...callee, waitUntil: (work: Promise<unknown>) => void this.#later.push(work) }
    const guard = { fail: (error: unknown) => this.#broken(error, callee) }
    const place = { functionPath, connection: connection as ConnectionInfo, timeout, guard }
    this.#call = new FunctionCall(headOf(head, callId), own, place, this, { resume: () => this.#grant() })
    if (head.content) this.#settle()
    else this.#call.end()
  }

  take({ type, payload }: Frame): void {
    switch (type) {
      case 'data':
        this.#ungranted += payload.length
        this.#call.data(payload)
        if (!this.#call.full) this.#grant()
        this.#settle()
        return
      case 'end':
        this.#call.end()
        return
      case 'abort':
        this.#call.cancel(new Error('the response is not waited for any more'))
        this.#credit.release()
        this.#finish()
        return
      case 'credit':
        this.#credit.grant(new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0))
    }
  }

  inform(status: number, headers: readonly Field[]): void {
    this.#link.say('inform', this.#id, { status, headers })
  }

  reply({ status, headers = [], body }: ResponseView): void {
    const content = typeof body === 'string' ? utf8(body) : body
    this.begin({ status, headers, length: content?.length })
    for (let at = 0; content !== undefined && at < content.length; at += PIECE)
      void this.write(content.subarray(at, at + PIECE))
    this.end()
  }

  begin({ status, headers, length }: Parameters<ResponseSink['begin']>[0]): void {
    const fields = headers ?? []
    const told = length === undefined ? [] : [['content-length', String(length)]]
    this.#link.say('head', this.#id, { status, headers: [...fields, ...told] })
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.over) return undefined
    // The function may use its memory again.
    this.#link.send('data', this.#id, data.slice())
    return this.#credit.spend(data.length)
  }

  end(): void {
    this.#link.send('end', this.#id)
    this.#finish()
  }

  abort(): void {
    this.#link.send('abort', this.#id)
    this.#finish()
  }

  /** What comes together is looked at together: the function gets a small body whole. */
  #settle(): void {
    if (this.#waits) return
    this.#waits = true
    setImmediate(() => {
      this.#waits = false
      this.#call.wait()
    })
  }

  #grant(): void {
    if (this.#ungranted === 0) return
    this.#link.send('credit', this.#id, uint32(this.#ungranted))
    this.#ungranted = 0
  }

  #broken(error: unknown, { log }: Callee): void {
    log.error({ err: error }, 'a call of the sealed function failed')
    if (!this.over) this.abort()
  }

  #finish(): void {
    if (this.over) return
    this.over = true
    void Promise.allSettled(this.#later).then(() => {
      this.#link.send('done', this.#id)
      this.#onDone()
    })
  }
}

function headOf(head: CallHead, callId: string): RequestHead {
  const { method, target, host } = head
  const [path = '', ...rest] = target.split('?')
  // The context takes the id of a call from its field.
  const headers = [
    ...head.headers.filter(([name]) => name.toLowerCase() !== 'x-call-id'),
    ['x-call-id', callId],
  ]
  return { method, target, version: '1.1', headers: headers as Field[], host, path, query: rest.join('?') }
}
