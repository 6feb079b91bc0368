import { expect } from 'vitest'
import { installGlobals, prepare } from '../../src/web/globals.ts'
import { native } from '../../src/web/native.ts'

/** Node's own classes, as they were before ours became the globals. */
export const NODES = { ...native() }
installGlobals()
prepare()

export type Web = Pick<typeof NODES, 'Request' | 'Response' | 'Headers'>
export const OURS: Web = { Request, Response, Headers }

/** What a step comes to: its value, or the name of its error's class. */
export async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error: error instanceof Error ? error.constructor.name : error }
  }
}

/** Does the same with our classes and with Node's, and expects the same of both. */
export async function same(run: (web: Web) => unknown): Promise<void> {
  expect(await outcome(() => run(OURS))).toEqual(await outcome(() => run(NODES)))
}
