import type { FetchHandler } from '../../../src/functions/contract.ts'
import { TEXT } from '../check.ts'
import { TYPE } from '../rows.ts'

/** Gives what every server of this bench gives, as functions are usually written. */
const fetching: FetchHandler = {
  fetch: () => new Response(TEXT, { headers: { 'content-type': TYPE } }),
}

export default fetching
