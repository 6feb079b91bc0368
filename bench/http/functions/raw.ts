import type { RawHandler } from '../../../src/functions/contract.ts'
import type { Field } from '../../../src/http/message.ts'
import { ANSWER } from '../check.ts'
import { TYPE } from '../rows.ts'

const HEADERS: readonly Field[] = [['content-type', TYPE]]

/** Gives what every server of this bench gives, without Request and Response objects. */
const raw: RawHandler = {
  handle: () => ({ status: 200, headers: HEADERS, body: ANSWER }),
}

export default raw
