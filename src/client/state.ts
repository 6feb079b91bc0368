import { h1ClientState } from '../http/h1/client-state.ts'
import { h2State } from '../http/h2/state.ts'
import { SessionState } from '../tls13/state.ts'
import {
  boolean,
  enumeration,
  opaque,
  optional,
  type Struct,
  secret,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  vector,
} from '../wire/index.ts'

/** Most bytes of anything that is carried. */
const CEILING = 2 ** 24 - 1

/** The number that a connection's state begins with. */
export const CLIENT_STATE_VERSION = 1

const field = struct('ClientField', { name: text(1, 2 ** 16 - 1), value: text(0, CEILING) })

/** A request without its whole response: what is still to be told of it, and to whom. */
export const ExchangeState = struct('ExchangeState', {
  /** What its caller has called it (`FetchOptions.label`). */
  label: text(0, 2 ** 16 - 1),
  method: text(1, 2 ** 16 - 1),
  url: text(1, CEILING),
  redirected: boolean,
  /** Of the response; 0 as long as its head has not come. */
  status: uint16,
  fields: vector(field, 0, CEILING),
  /** The response has no content, and cannot have any. */
  empty: boolean,
  /** Content that has come and that no application has taken. */
  unread: secret(opaque(0, CEILING)),
  /** Bytes of content for which the server has no new window yet. */
  owed: uint32,
})
export type ExchangeState = TypeOf<typeof ExchangeState>

/** A response that came whole, or as far as it ever will: no connection comes along with it. */
export const FinishedState = struct('FinishedState', {
  exchange: ExchangeState,
  /** What it broke off with; absent: it is whole. */
  failure: optional(text(0, 255)),
})

const Http1 = struct('ClientHttp1', {
  /** Requests sent so far. */
  sent: uint32,
  /** Milliseconds that it is kept without a request. */
  idle: uint32,
  http: h1ClientState,
  exchange: optional(ExchangeState),
})

const Http2 = struct('ClientHttp2', {
  sent: uint32,
  http: h2State,
  exchanges: vector(
    struct('ClientStream', {
      id: uint32,
      exchange: ExchangeState,
      /** Content of the request for which HTTP had no room. */
      rest: optional(secret(opaque(1, CEILING))),
      /** The request has not been sent whole. */
      uploading: boolean,
    }),
    0,
    CEILING,
  ),
})

export const ClientApplication = select(
  'ClientApplication',
  'protocol',
  enumeration('ClientProtocol', uint8, { 'http/1.1': 1, h2: 2 }),
  { 'http/1.1': Http1, h2: Http2 },
)
export type ClientApplication = TypeOf<typeof ClientApplication>

/**
 * A client's connection as a value: TLS, HTTP, and what its requests wait for. It holds keys: a process
 * that has it can speak as this client.
 */
export const ClientConnectionState: Struct<ClientConnectionState> = struct('ClientConnectionState', {
  version: uint16,
  /** Whom it is to: scheme, host and port. */
  origin: text(1, 2 ** 16 - 1),
  /** Absent over plain TCP. */
  session: optional(SessionState),
  application: ClientApplication,
})
export interface ClientConnectionState {
  readonly version: number
  readonly origin: string
  readonly session: SessionState | undefined
  readonly application: ClientApplication
}

/** A response on its way to another process, alone: with its connection, or without one where it is over. */
export const UpstreamState = select(
  'UpstreamState',
  'kind',
  enumeration('UpstreamKind', uint8, { live: 1, finished: 2 }),
  {
    live: struct('LiveUpstream', {
      /** {@link ClientConnectionState}, with the one request that is on it. */
      connection: secret(opaque(1, CEILING)),
    }),
    finished: FinishedState,
  },
)
export type UpstreamState = TypeOf<typeof UpstreamState>
