import type { RawHandler } from '../../../src/functions/contract.ts'
import type { Field } from '../../../src/http/message.ts'
import { concat } from '../../../src/wire/index.ts'

/**
 * Gives the body back twice: 200 bytes for 100, and different ones for each request. Without Request and
 * Response objects.
 */
const twice: RawHandler = {
  handle: ({ body }) => ({ status: 200, headers: BINARY, body: concat(body, body) }),
}

export default twice

const BINARY: readonly Field[] = [['content-type', 'application/octet-stream']]
