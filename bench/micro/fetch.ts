import type { Callee } from '../../src/containers/protocol/call-context.ts'
import { FunctionCall } from '../../src/containers/protocol/function-call.ts'
import { fromNode } from '../../src/functions/adapters/node-http.ts'
import type { FetchHandler } from '../../src/functions/contract.ts'
import { loadFunction } from '../../src/functions/load.ts'
import type { FunctionModule } from '../../src/functions/module.ts'
import type { RequestHead, ResponseView } from '../../src/http/message.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { native } from '../../src/web/native.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import { expressApplication, fastifyApplication, honoApplication } from '../http/applications.ts'

/** What do Request and Response cost a function that answers at once? */
const CALLS = 100

const HEAD: RequestHead = {
  method: 'GET',
  target: '/?name=potato',
  version: '1.1',
  headers: [
    ['Host', 'hello.local:8443'],
    ['User-Agent', 'bench'],
    ['Accept', '*/*'],
  ],
  host: 'hello.local',
  path: '/',
  query: 'name=potato',
}
const HEADERS = { 'content-type': 'text/plain' }
const TEXT = 'x'.repeat(200)

const ignore = (): void => {}
const LOG = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const CONNECTION = { tls: true, hops: 0, requestIndex: 0, container: 'hello-1' }
const FIELDS = [['content-type', 'text/plain']] as const

/** Through each of them goes the same request, and 200 bytes of text come back. */
const MODULES: Readonly<Record<string, FunctionModule>> = {
  raw: { kind: 'raw', file: 'bench', handle: () => ({ status: 200, headers: FIELDS, body: TEXT }) },
  fetch: { kind: 'fetch', file: 'bench', fetch: () => new Response(TEXT, { headers: HEADERS }) },
  'fetch, by a promise': {
    kind: 'fetch',
    file: 'bench',
    fetch: async () => new Response(TEXT, { headers: HEADERS }),
  },
  'fetch that looks at URL and a field': {
    kind: 'fetch',
    file: 'bench',
    fetch: request => {
      insist(request.url.endsWith('?name=potato') && request.headers.get('accept') === '*/*', 'not it')
      return new Response(TEXT, { headers: HEADERS })
    },
  },
  Hono: { kind: 'fetch', file: 'bench', ...(honoApplication() as unknown as FetchHandler) },
  'a listener of node:http': {
    kind: 'fetch',
    file: 'bench',
    ...fromNode((_request, response) => {
      response.writeHead(200, { ...HEADERS, 'content-length': TEXT.length })
      response.end(TEXT)
    }),
  },
  Fastify: { kind: 'fetch', file: 'bench', ...fromNode(fastifyApplication()) },
  Express: { kind: 'fetch', file: 'bench', ...fromNode(expressApplication()) },
  "fetch with Node's classes": {
    kind: 'fetch',
    file: 'bench',
    fetch(request, _environment, context) {
      const { Request, Response } = native()
      const real = new Request(request.url, { method: request.method, headers: HEAD.headers as never })
      const { signal } = context
      Object.defineProperty(real, 'signal', { get: () => signal, configurable: true })
      return new Response(TEXT, { headers: HEADERS })
    },
  },
}

/** Where a response goes. What is not told here does nothing. */
class Sink {
  readonly over = false
  given: ResponseView | undefined
  take: ((view: ResponseView) => void) | undefined
  reply(view: ResponseView): void {
    this.given = view
    this.take?.(view)
  }
  inform(): void {}
  begin(): void {}
  end(): void {}
  abort(): void {}
  write(): undefined {}
}

const REQUEST = { functionPath: '/', connection: CONNECTION, timeout: 0, guard: { fail: ignore } }
const SOURCE = { resume: ignore }

function calleeOf(module: FunctionModule): Callee {
  const to = { functionName: 'hello', module, environment: {} }
  return { ...to, clock: SYSTEM_CLOCK, log: LOG, waitUntil: ignore }
}

/** @returns the answer, or a promise of it if it does not come at once */
function call(callee: Callee): Promise<ResponseView> | ResponseView {
  const sink = new Sink()
  new FunctionCall(HEAD, callee, REQUEST, sink, SOURCE).end()
  return (
    sink.given ??
    new Promise(resolve => {
      sink.take = resolve
    })
  )
}

async function calls(callee: Callee): Promise<void> {
  for (let i = 0; i < CALLS; i++) {
    const given = call(callee)
    if (given instanceof Promise) await given
  }
}

// By that the globals are those of a container.
await loadFunction('hello')

const cases = Object.entries(MODULES).map(([name, module]): MicroCase => {
  const callee = calleeOf(module)
  return {
    name: `${CALLS} requests, ${name}`,
    later: true,
    async check() {
      const { status, body } = await call(callee)
      insist(status === 200 && body?.length === TEXT.length, 'not the answer')
    },
    run: () => calls(callee),
  }
})

await micro('fetch', cases)
