import type { FetchHandler } from '../../../src/functions/contract.ts'
import { concat } from '../../../src/wire/index.ts'

/** Gives the body back twice, as functions are usually written. */
const twice: FetchHandler = {
  async fetch(request) {
    const body = new Uint8Array(await request.arrayBuffer())
    return new Response(concat(body, body) as Uint8Array<ArrayBuffer>, { headers: BINARY })
  },
}

export default twice

const BINARY = { 'content-type': 'application/octet-stream' }
