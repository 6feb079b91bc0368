import type { Problem } from '../../http/problem.ts'
import type { ContentSink, HttpRequest, HttpResponse } from '../../http/serving.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import { EMPTY } from '../../wire/index.ts'
import type { ProtocolOwner } from '../protocol/protocol.ts'
import { admitSocket } from './socket-admission.ts'
import { WebSocket } from './web-socket.ts'

type State = Extract<ApplicationState, { protocol: 'websocket' }>

/** For content that no function gets. */
export const NOWHERE: ContentSink = { data() {}, end() {}, broken() {} }

/** How a connection of HTTP/1.1 becomes a WebSocket: from the request for it to what is spoken then. */
export class Upgrade {
  readonly #owner: ProtocolOwner
  /** What the WebSocket is told of its beginning. */
  #opening: Pick<State, 'target' | 'headers' | 'host' | 'subprotocol'> | undefined
  /** What its function gave when it was asked. */
  #admitted: unknown

  constructor(owner: ProtocolOwner) {
    this.#owner = owner
  }

  /** Judges a request, and grants it, now or later, or does not. @returns what it is refused with at once */
  ask(request: HttpRequest, response: HttpResponse, functionPath: string): Problem | undefined {
    const { head, length, index } = request
    if (length !== 0) {
      const detail = 'the request for a WebSocket has no content'
      return { name: 'bad-request', status: 400, detail }
    }
    const { host, guard } = this.#owner
    const connection = () => this.#owner.info(index)
    const asked = { head, functionPath, connection, response, guard }
    admitSocket(host, asked, ({ fields, protocol, admitted }) => {
      const headers = head.headers.map(([name, value]) => ({ name, value }))
      this.#opening = { target: head.target, headers, host: head.host, subprotocol: protocol }
      this.#admitted = admitted
      response.upgrade(fields, NOWHERE)
      this.#owner.pump()
    })
    return undefined
  }

  /**
   * The WebSocket that was granted. @param rest what has come of it @param requestsServed this one among
   * them
   */
  begin(rest: Uint8Array, requestsServed: number): WebSocket {
    const socket = { inbound: rest, outbound: EMPTY, partial: undefined, closeSent: false }
    const opening = this.#opening!
    const state = { protocol: 'websocket', requestsServed, ...opening, socket, state: undefined } as const
    return new WebSocket(this.#owner, state, this.#admitted)
  }
}
