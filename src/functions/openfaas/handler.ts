import { problem } from '../../http/problem.ts'
import type { Context, RawHandler, RawResponse } from '../contract.ts'
import { FunctionContext } from './context.ts'
import { type BodyRules, bodyRules, EventError, eventOf, type FunctionEvent } from './event.ts'

/** The last argument of handlers that want to be called back. */
export type Callback = (error?: unknown, result?: unknown) => void

/** A handler as OpenFaaS's node templates have it. */
export type OpenFaaSHandler = (event: FunctionEvent, context: FunctionContext, callback: Callback) => unknown

/**
 * Runs a handler that was written for OpenFaaS's node templates: `export default fromOpenFaaS(handler)`. A
 * module that is deployed with `lang: node22` or the like needs no such line.
 * @param environment where `RAW_BODY`, `MAX_RAW_SIZE` and `MAX_JSON_SIZE` stand
 * @throws TypeError it is no function, or a size is none
 */
export function fromOpenFaaS(
  handler: OpenFaaSHandler,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): RawHandler {
  if (typeof handler !== 'function') throw new TypeError('fromOpenFaaS takes a function (event, context)')
  const rules = bodyRules(environment)
  return { handle: (request, context) => call(handler, request, context, rules) }
}

async function call(
  handler: OpenFaaSHandler,
  request: Parameters<RawHandler['handle']>[0],
  { functionPath, log }: Context,
  rules: BodyRules,
): Promise<RawResponse> {
  let event: FunctionEvent
  try {
    event = eventOf(request, functionPath, rules)
  } catch (error) {
    if (!(error instanceof EventError)) throw error
    return problem({ name: 'bad-request', status: error.status, detail: error.message })
  }
  return new Promise(resolve => {
    const context = new FunctionContext(resolve)
    const failed = (error: unknown): void => {
      if (context.cbCalled === 0) log.error({ err: error }, 'the function failed')
      context.fail(error)
    }
    const back: Callback = (error, result) => {
      if (error) failed(error)
      else context.succeed(result)
    }
    // A handler that takes a callback and gives nothing back will call it.
    const settled = (given: unknown): void => {
      if (context.cbCalled === 0 && (given !== undefined || handler.length < 3)) context.succeed(given)
    }
    try {
      Promise.resolve(handler(event, context, back)).then(settled, failed)
    } catch (error) {
      failed(error)
    }
  })
}
