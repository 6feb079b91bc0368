import {
  boolean,
  decode,
  encode,
  enumeration,
  opaque,
  optional,
  select,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  vector,
} from '../../wire/index.ts'

/** Most bytes of a request or a response that is lent. */
const CEILING = 2 ** 24 - 1

/** Characters are bytes (ISO 8859-1); here they are UTF-8. */
const LoanField = struct('LoanField', { name: text(1, CEILING), value: text(0, CEILING) })
const fields = vector(LoanField, 0, CEILING)

/**
 * A whole request, lent to a container of its function, and what that has to know of the connection, which
 * stays where it is.
 */
export const LoanRequest = struct('LoanRequest', {
  method: text(1, 2 ** 16 - 1),
  target: text(1, CEILING),
  headers: fields,
  host: optional(text(0, 2 ** 16 - 1)),
  path: text(1, CEILING),
  query: text(0, CEILING),
  body: opaque(0, CEILING),
  tls: boolean,
  alpn: optional(text(0, 255)),
  serverName: optional(text(0, 255)),
  remoteAddress: optional(text(1, 255)),
  hops: uint16,
  requestIndex: uint32,
})
export type LoanRequest = TypeOf<typeof LoanRequest>

/** What came of it: a whole response, or why there is none. */
export const LoanAnswer = select(
  'LoanAnswer',
  'outcome',
  enumeration('LoanOutcome', uint8, { answered: 1, refused: 2 }),
  {
    answered: struct('LoanAnswered', {
      status: uint16,
      headers: fields,
      /** What Content-Length says where there is no content to count: the answer to HEAD. */
      length: optional(uint32),
      body: opaque(0, CEILING),
      trailers: fields,
    }),
    /**
     * `busy`: nothing was done, another container may be asked. `broken`: there is no whole response, but the
     * function has run. `policy`: nothing was done, and the request belongs on a connection of its own.
     */
    refused: struct('LoanRefused', {
      reason: enumeration('LoanRefusal', uint8, { busy: 1, broken: 2, policy: 3 }),
      detail: text(0, 255),
    }),
  },
)
export type LoanAnswer = TypeOf<typeof LoanAnswer>

export const encodeLoan = (request: LoanRequest): Uint8Array => encode(LoanRequest, request)
/** @throws DecodeError */
export const decodeLoan = (bytes: Uint8Array): LoanRequest => decode(LoanRequest, bytes)
export const encodeLoanAnswer = (answer: LoanAnswer): Uint8Array => encode(LoanAnswer, answer)
/** @throws DecodeError */
export const decodeLoanAnswer = (bytes: Uint8Array): LoanAnswer => decode(LoanAnswer, bytes)
