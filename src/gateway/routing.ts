import { type Problem, refusal } from '../http/problem.ts'
import type { GatewayOptions } from '../platform/gateway-settings.ts'
import { ownerOfPath } from '../platform/path.ts'
import { type RouteEntry, Routes } from '../platform/routes.ts'
import type { Clock } from '../time/clock.ts'
import { EMPTY } from '../wire/index.ts'
import { ClientHelloRecogniser } from './client-hello-recogniser.ts'
import { HostRecogniser, http2Answer } from './host-recogniser.ts'
import { alertAnswer, httpAnswer, type Judgement } from './listener.ts'
import { type GatewayProofs, PROOF } from './proofs.ts'

/**
 * Milliseconds for the first request of an HTTP/2 connection; a client that waits for our SETTINGS sends
 * none.
 */
const PREFACE_PATIENCE = 100

/**
 * Which function a fresh connection is for: by the server name of its ClientHello, or by the path or the Host
 * of its first request. It reads the client's first bytes, all of them each time that more have come, and
 * takes none.
 */
export class Routing {
  readonly #options: GatewayOptions
  #names!: ReadonlySet<string>
  #hosts!: readonly string[]
  #routes!: Routes
  readonly #clock: Clock
  readonly #proofs: GatewayProofs

  constructor(options: GatewayOptions, clock: Clock, proofs: GatewayProofs) {
    this.#options = options
    this.#proofs = proofs
    this.#clock = clock
    this.change(options.routes, options.functionNames, options.defaultFunction)
  }

  /** From now on these are the functions. What is being judged is judged by them, too. */
  change(
    routes: readonly RouteEntry[],
    functionNames: Iterable<string>,
    defaultFunction: string | undefined,
  ): void {
    this.#routes = new Routes(routes, defaultFunction)
    this.#names = new Set(functionNames)
    this.#hosts = routes.map(({ host }) => host)
  }

  /** What judges the first bytes of a connection on the port for TLS, which are to be a ClientHello. */
  ofClientHello(): (bytes: Uint8Array) => Judgement<string> {
    const recogniser = new ClientHelloRecogniser({ helloBytes: this.#options.helloBytes, records: 32 })
    return bytes => {
      const found = recogniser.recognise(bytes)
      switch (found.kind) {
        case 'more':
          return found
        case 'http':
          return this.#answerHttp({
            name: 'tls-required',
            status: 400,
            detail: `this port is for TLS: use https, or port ${this.#options.http}`,
          })
        case 'refused':
          return {
            kind: 'answer',
            bytes: alertAnswer(found.alert),
            reason: `${found.detail} (${found.reason})`,
          }
        case 'client_hello': {
          // Whatever the server name.
          if (this.#proofs.wantsHandshake(found.alpn)) return { kind: 'route', to: PROOF }
          const route = this.#routes.find(found.serverName)
          if (route !== undefined) return { kind: 'route', to: route.function }
          const reason = `no function for the server name ${found.serverName ?? '(no host name)'}`
          return { kind: 'answer', bytes: alertAnswer('unrecognized_name'), reason }
        }
      }
    }
  }

  /** The same on the port for plain HTTP: a request, or the preface of HTTP/2. */
  ofRequest(): (bytes: Uint8Array) => Judgement<string> {
    const recogniser = new HostRecogniser(this.#options.http1)
    return bytes => {
      const found = recogniser.recognise(bytes)
      switch (found.kind) {
        case 'more':
          return found
        case 'tls':
          return {
            kind: 'answer',
            bytes: alertAnswer('unexpected_message'),
            reason: 'TLS on the port for plain HTTP',
          }
        case 'too_large':
        case 'not_http':
          return this.#answerHttp(refusal(found.status, found.reason), bytes)
        case 'preface': {
          const to = this.#routes.find(undefined)?.function
          if (to === undefined) return { kind: 'more' }
          return { kind: 'more', otherwise: { to, milliseconds: PREFACE_PATIENCE } }
        }
        case 'reset': {
          const to = this.#routes.find(undefined)?.function
          if (to !== undefined) return { kind: 'route', to }
          return this.#answerHttp(refusal(400, 'the first request is malformed'), bytes)
        }
        case 'request': {
          if (this.#proofs.wantsPage(found.head)) return { kind: 'route', to: PROOF }
          // The path beats the host when both name a function.
          const functionName =
            ownerOfPath(found.head.path, this.#names)?.functionName ?? this.#routes.find(found.host)?.function
          if (functionName !== undefined) return { kind: 'route', to: functionName }
          return this.#answerHttp(this.#unknownHost(found.host), bytes)
        }
      }
    }
  }

  #unknownHost(host: string | undefined): Problem {
    const hosts = this.#hosts
    const paths = [...this.#names].map(name => `/${name}`)
    return {
      name: 'unknown-host',
      status: 404,
      detail:
        `no function for the host ${host ?? '(none)'}; ` +
        `known are the hosts ${hosts.join(', ')} and the paths ${paths.join(', ')}`,
      extensions: { hosts, paths },
    }
  }

  /** @param inbound what the client has sent, if it may be HTTP/2 */
  #answerHttp(what: Problem, inbound: Uint8Array = EMPTY): Judgement<string> {
    const now = this.#clock.wall()
    const bytes = http2Answer(inbound, what, now) ?? httpAnswer(what, now)
    return { kind: 'answer', bytes, reason: what.detail ?? what.name }
  }
}
