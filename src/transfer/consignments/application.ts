import {
  carriedRequest,
  h1Response,
  h1State,
  h1Upload,
  INBOUND_CEILING,
  requestFields,
} from '../../http/h1/index.ts'
import { h2State } from '../../http/h2/state.ts'
import { webSocketState } from '../../http/websocket/index.ts'
import {
  enumeration,
  opaque,
  optional,
  secret,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  vector,
} from '../../wire/index.ts'

/** Most bytes of anything that is carried. */
const CEILING = 2 ** 24 - 1

/** A function's call that is underway, and what follows of its response. */
export const frozenCall = struct('FrozenCall', {
  callId: text(1, 128),
  /** That its head said; 0 if the response has not begun. */
  status: uint16,
  /** When it began, and until when its response was to begin: milliseconds since 1970. */
  began: uint64,
  deadline: optional(uint64),
  /** Milliseconds since it began, and bytes of content that the function has given since, for logs. */
  age: uint32,
  given: uint64,
  /** Content that comes next. Secret: it is the function's answer to this one client. */
  content: secret(opaque(0, CEILING)),
  /** What its function has frozen, as JSON: what comes behind that content. Undefined: nothing does. */
  state: optional(secret(opaque(0, CEILING))),
})
export type FrozenCall = TypeOf<typeof frozenCall>

/** A call whose function has not read all of its request. */
const frozenUpload = struct('FrozenUpload', {
  call: frozenCall,
  /** Content of the request that has come, and that the function has not read. */
  unread: secret(opaque(0, CEILING)),
})
export type FrozenUpload = TypeOf<typeof frozenUpload>

/** A WebSocket on a stream. */
const frozenSocket = struct('FrozenSocket', {
  subprotocol: optional(text(1, 2 ** 16 - 1)),
  socket: webSocketState,
  /** What the function has frozen, as JSON. */
  state: optional(secret(opaque(0, CEILING))),
})

const http2Call = struct('Http2Call', {
  streamId: uint32,
  /** Requests on the connection before this one. */
  index: uint32,
  request: carriedRequest,
  call: frozenCall,
})

/** What is being served on one stream of HTTP/2. */
export const http2Passenger = struct('Http2Passenger', {
  streamId: uint32,
  /** Requests on the connection before this one. */
  index: uint32,
  request: carriedRequest,
  frozen: select(
    'FrozenStream',
    'kind',
    enumeration('FrozenKind', uint8, { response: 1, upload: 2, websocket: 3 }),
    {
      response: struct('FrozenResponse', { call: frozenCall }),
      upload: frozenUpload,
      websocket: frozenSocket,
    },
  ),
})
export type Http2Passenger = TypeOf<typeof http2Passenger>

/** What the connection speaks above TLS, with its state. */
export const ApplicationState = select(
  'ApplicationState',
  'protocol',
  enumeration('ApplicationProtocol', uint8, {
    http1: 1,
    http2: 2,
    websocket: 3,
    http1_response: 4,
    http2_responses: 5,
    http1_upload: 6,
    http2_streams: 7,
  }),
  {
    http1: h1State,
    /** Since version 3. */
    http2: struct('Http2Application', {
      /** Requests accepted so far. */
      requestsServed: uint32,
      http: h2State,
    }),
    /** Since version 3. */
    websocket: struct('WebSocketApplication', {
      /** Requests accepted so far, the one for the WebSocket among them. */
      requestsServed: uint32,
      /** Of that request; its characters are bytes (ISO 8859-1), here they are UTF-8. */
      target: text(1, CEILING),
      headers: requestFields,
      host: optional(text(0, 2 ** 16 - 1)),
      subprotocol: optional(text(1, 2 ** 16 - 1)),
      socket: webSocketState,
      /** What the function has frozen, as JSON. */
      state: optional(opaque(0, CEILING)),
    }),
    /** Since version 5: HTTP/1 in the middle of a response. */
    http1_response: struct('Http1ResponseApplication', {
      requestsServed: uint32,
      inbound: secret(opaque(0, INBOUND_CEILING)),
      response: h1Response,
      call: frozenCall,
    }),
    /** Since version 5: HTTP/2 in the middle of responses. */
    http2_responses: struct('Http2ResponsesApplication', {
      requestsServed: uint32,
      http: h2State,
      calls: vector(http2Call, 1, CEILING),
    }),
    /** Since version 7: HTTP/1 in the middle of a request that its function reads. */
    http1_upload: struct('Http1UploadApplication', {
      requestsServed: uint32,
      inbound: secret(opaque(0, INBOUND_CEILING)),
      upload: h1Upload,
      call: frozenCall,
      /** Content of the request that has come, and that the function has not read. */
      unread: secret(opaque(0, CEILING)),
    }),
    /** Since version 7: HTTP/2 with requests that are being read, or WebSockets, among its streams. */
    http2_streams: struct('Http2StreamsApplication', {
      requestsServed: uint32,
      http: h2State,
      passengers: vector(http2Passenger, 1, CEILING),
    }),
  },
)
export type ApplicationState = TypeOf<typeof ApplicationState>
