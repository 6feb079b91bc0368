import { H1Server } from '../../src/http/h1/index.ts'
import { utf8 } from '../../src/wire/index.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'

/** What does it cost to read the head of a request, and to answer it? */
const REQUESTS = {
  'a short head, 2 fields': 'GET /echo HTTP/1.1\r\nHost: echo.local\r\nAccept: */*\r\n\r\n',
  "a browser's head, 14 fields": [
    'GET /function/echo/a/b?c=d HTTP/1.1',
    'Host: echo.local:8443',
    'Connection: keep-alive',
    'Cache-Control: max-age=0',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) ' +
      'Chrome/120.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Sec-Fetch-Site: none',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-User: ?1',
    'Sec-Fetch-Dest: document',
    'Accept-Encoding: gzip, deflate, br',
    'Accept-Language: en-GB,en;q=0.9',
    'Cookie: session=0123456789abcdef0123456789abcdef',
    'If-None-Match: "0123456789abcdef"',
    '\r\n',
  ].join('\r\n'),
}

const ANSWER = { status: 200, headers: [['content-type', 'text/plain']] as const, body: new Uint8Array(200) }

function cases(): MicroCase[] {
  return Object.entries(REQUESTS).flatMap(([name, text]) => {
    const bytes = utf8(text)
    const head = () => {
      const server = new H1Server()
      server.receive(bytes)
      return { server, event: server.next() }
    }
    const serve = (): Uint8Array => {
      const { server } = head()
      server.accept()
      while (server.next() !== undefined);
      return server.reply(ANSWER, 0)
    }
    return [
      {
        name: `read ${name}`,
        check() {
          const { event } = head()
          const fields = text.split('\r\n').length - 3
          const right =
            event?.type === 'request' && event.head.method === 'GET' && event.head.headers.length === fields
          insist(right, 'not the request that was sent')
        },
        run: head,
      },
      {
        name: `read and answer ${name}`,
        check() {
          const answer = new TextDecoder().decode(serve())
          insist(
            answer.startsWith('HTTP/1.1 200 ') && answer.endsWith('\r\n\r\n'.padEnd(204, '\0')),
            'not the answer',
          )
        },
        run: serve,
      },
    ]
  })
}

await micro('http', cases())
