import type { HttpHandlers, HttpRequest, HttpResponse } from '../../http/serving.ts'
import { BYTES, PATTERN, PIECE, pageFor } from './pages.ts'

/**
 * What `hotpotato serve` answers, whichever version of HTTP it is asked by. @param handshake what `GET /tls`
 * tells
 */
export function application(handshake: object): HttpHandlers {
  return {
    request(request, response) {
      const page = pageFor(request.method, request.path, request.early, handshake)
      if (page.kind === 'reply') response.reply(page.response)
      else if (page.kind === 'bytes') return sendBytes(response, page.size, request.method === 'HEAD')
      else echo(request, response)
      return undefined
    },
  }
}

/** So many bytes of the pattern, as fast as the client takes them. */
async function sendBytes(response: HttpResponse, size: number, headOnly: boolean): Promise<void> {
  let gone = false
  response.onGone = () => {
    gone = true
  }
  response.begin({ status: 200, headers: [BYTES], length: size })
  for (let left = headOnly ? 0 : size; left > 0 && !gone; left -= PIECE)
    await response.write(PATTERN.subarray(0, Math.min(left, PIECE)))
  response.end()
}

/** Gives back what comes, while it comes, and takes no more than the client takes. */
function echo(request: HttpRequest, response: HttpResponse): void {
  let begun = false
  const begin = (): void => {
    if (!begun) response.begin({ status: 200, headers: [BYTES], length: request.length })
    begun = true
  }
  request.content({
    data: bytes => {
      begin()
      return response.write(bytes)
    },
    end: () => {
      begin()
      response.end()
    },
    // Cut short or malformed: the missing end tells the client that its response is not whole. One that has
    // not begun tells what is wrong.
    broken: () => {
      if (begun) response.abort()
    },
  })
}
