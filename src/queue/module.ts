import { watch } from 'node:fs'
import type { Context, RawResponse } from '../functions/contract.ts'
import { type FunctionModule, functionModule } from '../functions/module.ts'
import { isCallId } from '../http/field-values.ts'
import { type Field, header, type RequestView } from '../http/message.ts'
import { type Problem, problem } from '../http/problem.ts'
import { isFunctionName } from '../platform/function-name.ts'
import type { Log } from '../platform/log.ts'
import { ownerOfPath } from '../platform/path.ts'
import { QUEUE_FUNCTION, type QueueSettings } from '../platform/queue-settings.ts'
import type { Clock } from '../time/clock.ts'
import { CallbackRule, flaw } from './callbacks.ts'
import { type FrontDoor, HttpCaller } from './caller.ts'
import { fieldsAlong } from './fields.ts'
import { own } from './ownership.ts'
import { type Accepted, Queue } from './queue.ts'
import type { CallRecord } from './record.ts'
import { isCall, Store } from './store.ts'

export interface QueueParts {
  readonly frontDoor: FrontDoor
  readonly clock: Clock
  readonly log: Log
}

/** The function behind `/async-function/NAME`: it keeps calls, answers 202 at once, and makes them later. */
export async function queueModule(
  settings: QueueSettings,
  { frontDoor, clock, log }: QueueParts,
): Promise<FunctionModule> {
  const { directory, answerBytes } = settings
  const callbacks = new CallbackRule(settings.callbacks)
  const store = new Store(directory)
  await store.open()
  const caller = new HttpCaller({ frontDoor, callbacks, clock, answerBytes })
  const queue = new Queue({ store, caller, settings, clock, log, random: Math.random })
  // Another process may still be at it, as in a deploy; what comes meanwhile is kept.
  void own(directory, clock)
    .then(() => queue.deliver())
    .catch(error => log.error({ err: error }, 'asynchronous calls are not made'))
  watch(store.folder('calls'), (_event, name) => {
    if (name === null || !isCall(name)) return
    queue.look(name).catch(error => log.error({ err: error, file: name }, 'a call cannot be taken up'))
  }).unref()
  return functionModule({
    kind: 'raw',
    file: QUEUE_FUNCTION,
    counters: () => queue.counters,
    handle: (request, context) => accept(request, context, { queue, settings, callbacks, clock, log }),
  })
}

interface Parts {
  readonly queue: Pick<Queue, 'accept' | 'cancel'>
  readonly settings: QueueSettings
  readonly callbacks: CallbackRule
  readonly clock: Clock
  readonly log: Log
}

/** Answers a request for an asynchronous call. */
export async function accept(request: RequestView, context: Context, parts: Parts): Promise<RawResponse> {
  const { settings, callbacks, clock, queue } = parts
  const owner = ownerOfPath(context.functionPath, new Set(Object.keys(settings.functions)))
  if (owner === undefined && request.method === 'DELETE') return cancel(context.functionPath, queue)
  if (owner === undefined || context.functionPath.startsWith('/function/'))
    return problem({ name: 'no-such-function', status: 404, detail: unknown(context.functionPath) })
  if (settings.functions[owner.functionName]?.sealed) {
    const detail = `${owner.functionName} is sealed: its key would have to lie on the disk until the call`
    return problem({ name: 'sealed-function', status: 400, detail })
  }
  const { headers, method, query, body } = request
  if (body.length > settings.callBytes) {
    const detail = `an asynchronous call has at most ${settings.callBytes} bytes of content`
    return problem({ name: 'call-too-large', status: 413, detail })
  }
  const id = context.callId
  const fault = faultOf(headers, id)
  if (fault !== undefined) return problem({ name: 'bad-async-field', status: 400, detail: fault })
  const callback = header(headers, 'x-callback-url') ?? ''
  const objection = callback === '' ? undefined : callbacks.objection(callback)
  if (objection !== undefined) return problem({ name: 'callback-refused', status: 403, detail: objection })
  const now = clock.wall()
  const record: CallRecord = {
    ...{ id, functionName: owner.functionName, method, body, callback },
    target: owner.functionPath + (query === '' ? '' : `?${query}`),
    headers: fieldsAlong(headers),
    ...{ acceptedAt: now, phase: 'calling', failures: 0, dueAt: now, reason: '', lost: 0, answer: undefined },
    client: { tls: context.connection.tls ? 1 : 0, address: context.connection.remoteAddress ?? '' },
  }
  let accepted: Accepted
  try {
    accepted = await queue.accept(record)
  } catch (error) {
    parts.log.error({ err: error }, 'an asynchronous call cannot be kept')
    return busy(503, 'the call cannot be kept on the disk; the log says why')
  }
  return answerTo(accepted, settings)
}

/** @param path that names no function */
function unknown(path: string): string {
  const [, name = ''] = path.split('/')
  const told = isFunctionName(name) ? `no function is called ${name}; ` : ''
  return `${told}the path is /async-function/NAME`
}

/**
 * What is wrong with the fields that are about an asynchronous call; undefined: nothing.
 * @param id that the call has: another one than was asked for, where that was none
 */
function faultOf(headers: readonly Field[], id: string): string | undefined {
  for (const name of ['X-Call-Id', 'X-Callback-Url']) {
    const all = headers.filter(([one]) => one.toLowerCase() === name.toLowerCase())
    if (all.length > 1) return `${name} comes ${all.length} times: a call has one`
  }
  // With an id of ours, what the client sends a second time would be done a second time.
  const asked = header(headers, 'x-call-id')
  if (asked !== undefined && asked !== id)
    return 'X-Call-Id has 1 to 128 characters, each a letter, a digit or one of . : + / = @ _ -'
  const callback = header(headers, 'x-callback-url')
  return callback === undefined ? undefined : flaw(callback)
}

/** As OpenFaaS has it: `DELETE /async-function/ID`. */
async function cancel(path: string, queue: Parts['queue']): Promise<RawResponse> {
  const id = idIn(path)
  if (id !== undefined && (await queue.cancel(id)))
    return { status: 204, headers: [['cache-control', 'no-store']] }
  const detail = 'no asynchronous call waits that has this X-Call-Id; it may have been made already'
  return problem({ name: 'no-such-call', status: 404, detail })
}

/** The id that a path ends with; undefined: there is none that a call could have. */
function idIn(path: string): string | undefined {
  try {
    const id = decodeURIComponent(path.slice(1))
    return isCallId(id) ? id : undefined
  } catch {
    return undefined
  }
}

function answerTo(accepted: Accepted, { calls, bytes }: QueueSettings): RawResponse {
  switch (accepted) {
    case 'kept':
    case 'known':
      return { status: 202, headers: [['cache-control', 'no-store']] }
    case 'differs':
      return problem({
        name: 'call-id-in-use',
        status: 409,
        detail: 'another call with this X-Call-Id waits: leave the field out, or choose another one',
      })
    case 'too many':
      return busy(429, `${calls} calls wait already`)
    case 'too much':
      return busy(503, `the calls that wait have ${bytes} bytes already`)
  }
}

function busy(status: number, detail: string): RawResponse {
  const what: Problem = { name: 'queue-full', status, detail, headers: [['retry-after', '5']] }
  return problem(what)
}
