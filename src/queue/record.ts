import { crc32 } from 'node:zlib'
import {
  concat,
  DecodeError,
  decode,
  encode,
  enumeration,
  opaque,
  optional,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  vector,
} from '../wire/index.ts'

const HeaderField = struct('HeaderField', { name: text(1, 255), value: text(0, 65_535) })

/** What a function has answered, kept until its callback has taken it. */
export const Answer = struct('Answer', {
  status: uint16,
  headers: vector(HeaderField, 0, 2 ** 24 - 1),
  body: opaque(0, 2 ** 32 - 1),
  /** How long the call took. */
  milliseconds: uint32,
})
export type Answer = TypeOf<typeof Answer>

/** What comes next: a call of the function, or of the callback; of a dead letter nothing does. */
export const Phase = enumeration('Phase', uint8, { calling: 1, telling: 2, dead: 3 })
export type Phase = TypeOf<typeof Phase>

/** Who sent a request for an asynchronous call. */
export const Client = struct('Client', {
  /** Whether it came over TLS: 1 or 0. */
  tls: uint8,
  /** The IP address; empty: it is unknown. */
  address: text(0, 255),
})
export type Client = TypeOf<typeof Client>

/** One asynchronous call as it lies on the disk. */
export const CallRecord = struct('CallRecord', {
  /** Of X-Call-Id. */
  id: text(1, 128),
  functionName: text(1, 63),
  method: text(1, 64),
  /** What is left of the path for the function, with its query. */
  target: text(1, 65_535),
  headers: vector(HeaderField, 0, 2 ** 24 - 1),
  body: opaque(0, 2 ** 32 - 1),
  /** The URL that hears of the answer; empty: none. */
  callback: text(0, 4096),
  /** Milliseconds since 1970. */
  acceptedAt: uint64,
  phase: Phase,
  /** Tries in this phase that have failed. */
  failures: uint16,
  /** When the next one is due, in milliseconds since 1970. */
  dueAt: uint64,
  /** What the last try came to; empty: it has not been tried. */
  reason: text(0, 1024),
  /** Whether the function has been given up: then only its callback has to hear of that. */
  lost: uint8,
  answer: optional(Answer),
  /** Undefined: an earlier version has not kept it. */
  client: optional(Client),
})
export type CallRecord = TypeOf<typeof CallRecord>

/** The first bytes of a file: what it is, and of which form. */
const MAGIC = Uint8Array.from([0x68, 0x70, 0x71, 0x02])
/** The form before, without the client at its end. */
const FORMER = 0x01
const CHECKSUM = 4
/** That an optional value is not there. */
const NONE = Uint8Array.of(0)

/** A record as the content of a file: what it is, the record, and a checksum of both. */
export function encodeRecord(record: CallRecord): Uint8Array {
  const bytes = concat(MAGIC, encode(CallRecord, record))
  const checksum = new Uint8Array(CHECKSUM)
  new DataView(checksum.buffer).setUint32(0, crc32(bytes))
  return concat(bytes, checksum)
}

/** @throws DecodeError it is not whole, or something else */
export function decodeRecord(file: Uint8Array): CallRecord {
  const end = file.length - CHECKSUM
  const form = file[MAGIC.length - 1]
  const isOurs = MAGIC.every((byte, at) => file[at] === byte || (at === 3 && form === FORMER))
  if (end < MAGIC.length || !isOurs) throw new DecodeError('this is no call of a queue', 0)
  const { buffer, byteOffset } = file
  const told = new DataView(buffer, byteOffset + end, CHECKSUM).getUint32(0)
  if (crc32(file.subarray(0, end)) !== told) throw new DecodeError('the checksum is wrong', end)
  const content = file.subarray(MAGIC.length, end)
  return decode(CallRecord, form === FORMER ? concat(content, NONE) : content)
}
