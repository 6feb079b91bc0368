import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { FunctionCall } from '../../src/containers/protocol/function-call.ts'
import { fromNode, type NodeApplication } from '../../src/functions/adapters/node-http.ts'
import type { FetchHandler, FunctionResponse } from '../../src/functions/contract.ts'
import type { Field } from '../../src/http/message.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { utf8 } from '../../src/wire/index.ts'

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown

/** A request to an application. */
export interface Asked {
  readonly method?: string
  readonly target?: string
  readonly headers?: readonly Field[]
  /** Content, sent piece by piece; without it there is none. */
  readonly pieces?: readonly string[]
}

/** What a client gets. */
export interface Got {
  status: number
  /** But for those that are about a connection or its framing, and Date. Names in lower case, sorted. */
  headers: Field[]
  /** Each byte as a character. */
  body: string
  interim: [status: number, link: string | undefined][]
  trailers: Field[]
  end: 'whole' | 'cut'
}

const LEFT_OUT = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding', 'content-length'])

function kept(fields: readonly Field[]): Field[] {
  const lower = fields.map(([name, value]): Field => [name.toLowerCase(), value])
  // What may be one field or several with the same meaning.
  const joined = new Map<string, string>()
  const out: Field[] = []
  for (const [name, value] of lower) {
    if (name === 'set-cookie') out.push([name, value])
    else joined.set(name, joined.has(name) ? `${joined.get(name)}, ${value}` : value)
  }
  return [...out, ...joined].filter(([name]) => !LEFT_OUT.has(name)).sort()
}

function paired(raw: readonly string[]): Field[] {
  return raw.flatMap((name, i): Field[] => (i % 2 === 0 ? [[name, raw[i + 1]!]] : []))
}

/** Through a server of Node's, over a socket. */
export async function throughNode(listener: Listener, asked: Asked = {}): Promise<Got> {
  const { method = 'GET', target = '/', headers = [], pieces } = asked
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    return await new Promise<Got>((resolve, reject) => {
      const got: Got = { status: 0, headers: [], body: '', interim: [], trailers: [], end: 'cut' }
      const client = ask({
        port,
        method,
        path: target,
        agent: false,
        headers: ['Host', 'app.local', ...headers.flat()] as never,
      })
      client.on('information', ({ statusCode, headers: said }) =>
        got.interim.push([statusCode, said.link as string | undefined]),
      )
      client.on('error', error => (got.status > 0 ? resolve(got) : reject(error)))
      client.on('response', response => {
        got.status = response.statusCode!
        got.headers = kept(paired(response.rawHeaders))
        response.setEncoding('latin1').on('data', piece => {
          got.body += piece
        })
        response.on('error', () => {})
        response.on('close', () => {
          got.end = response.complete ? 'whole' : 'cut'
          got.trailers = kept(paired(response.rawTrailers))
          resolve(got)
        })
      })
      void send(client, pieces)
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function send(client: ReturnType<typeof ask>, pieces: readonly string[] = []): Promise<void> {
  for (const piece of pieces) {
    client.write(piece)
    await turn()
  }
  client.end()
}

/** What a call of a function is, for who breaks it off. */
export type Calling = Pick<FunctionCall, 'cancel'>

const ignore = (): void => {}

/**
 * Through a function, as a container calls it.
 * @param began told of the call before it runs @param note told of each warning and error of its log
 */
export async function throughFunction(
  app: NodeApplication | FetchHandler,
  asked: Asked = {},
  began: (call: Calling) => void = ignore,
  note: (...entry: readonly unknown[]) => void = ignore,
): Promise<Got> {
  const { method = 'GET', target = '/', headers = [], pieces } = asked
  const got: Got = { status: 0, headers: [], body: '', interim: [], trailers: [], end: 'cut' }
  const take = (bytes: Uint8Array = new Uint8Array()): void => {
    got.body += Buffer.from(bytes).toString('latin1')
  }
  const [path = '', query = ''] = target.split('?')
  const head = { method, target, version: '1.1', path, query, host: 'app.local' } as const
  const log = { debug: ignore, info: ignore, warn: note, error: note }
  const handler = 'fetch' in app ? app : fromNode(app)
  const fetch: FetchHandler['fetch'] = (...all) => handler.fetch(...all)
  const module = { kind: 'fetch', file: 'test', fetch } as const
  const callee = { clock: SYSTEM_CLOCK, functionName: 'app', module, environment: {}, log, waitUntil: ignore }
  const connection = { tls: true, hops: 0, requestIndex: 0, container: 'app-1', remoteAddress: '192.0.2.7' }
  const request = { functionPath: path, connection, timeout: 0, guard: { fail: ignore } }
  await new Promise<void>(resolve => {
    const begin = ({ status, headers: fields }: Pick<FunctionResponse, 'status' | 'headers'>): void => {
      got.status = status
      got.headers = kept(fields)
    }
    const end = (how: Got['end'], trailers: readonly Field[] = []): void => {
      got.end = how
      got.trailers = kept(trailers)
      resolve()
    }
    const sink = {
      over: false,
      inform: (status: number, fields: readonly Field[]) =>
        void got.interim.push([status, fields.find(([name]) => /^link$/i.test(name))?.[1]]),
      begin,
      write: (bytes: Uint8Array) => {
        take(bytes)
        return undefined
      },
      end: (trailers?: readonly Field[]) => end('whole', trailers),
      abort: () => end('cut'),
      reply: (view: { status: number; headers?: readonly Field[]; body?: string | Uint8Array }) => {
        begin({ status: view.status, headers: view.headers ?? [] })
        if (method !== 'HEAD') take(typeof view.body === 'string' ? utf8(view.body) : view.body)
        end('whole')
      },
    }
    const fields: Field[] = [['Host', 'app.local'], ...headers]
    const call = new FunctionCall({ ...head, headers: fields }, callee, request, sink, { resume: ignore })
    began({
      cancel: reason => {
        call.cancel(reason)
        resolve()
      },
    })
    void receive(call, pieces)
  })
  return got
}

async function receive(call: FunctionCall, pieces: readonly string[] = []): Promise<void> {
  for (const piece of pieces) {
    call.data(utf8(piece))
    call.wait()
    await turn()
  }
  call.end()
}
