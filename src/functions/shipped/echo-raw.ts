import type { Field } from '../../http/message.ts'
import { header } from '../../http/message.ts'
import type { RawHandler } from '../contract.ts'

/** The twin of echo without Request and Response objects; what benches measure the platform with. */
const echoRaw: RawHandler = {
  handle(request) {
    switch (request.method) {
      case 'POST':
      case 'PUT': {
        const type = header(request.headers, 'content-type')
        return {
          status: 200,
          headers: type === undefined ? BINARY : [['content-type', type]],
          body: request.body,
        }
      }
      case 'GET':
      case 'HEAD':
        return { status: 200, headers: TEXT, body: PAGE }
      default:
        return { status: 405, headers: ALLOW, body: `${request.method} is not allowed here\n` }
    }
  },
}

export default echoRaw

const BINARY: readonly Field[] = [['content-type', 'application/octet-stream']]
const TEXT: readonly Field[] = [['content-type', 'text/plain']]
const ALLOW: readonly Field[] = [...TEXT, ['allow', 'GET, HEAD, POST, PUT']]

/** 200 bytes, the size of a small answer. */
const PAGE = new Uint8Array(200).fill(0x2e)
PAGE.set(new TextEncoder().encode('POST something and it comes back. '))
PAGE[199] = 0x0a
