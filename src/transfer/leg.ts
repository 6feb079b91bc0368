import {
  decode,
  EMPTY,
  encode,
  opaque,
  rest,
  struct,
  type TypeOf,
  text,
  uint32,
  uint64,
} from '../wire/index.ts'

/**
 * The content type of what a container says to the gateway between its TLS records on a leg. No TLS record
 * has it: 64 to 255 are unassigned (RFC 8446 §11, and the TLS ContentType registry), and the gateway
 * strips it.
 */
export const LEG_CONTENT_TYPE = 0xf5

/** Bytes of the header of a record: content type, version, length (RFC 8446 §5.1). */
export const HEADER_LENGTH = 5
/** Bytes of the largest record on a leg: a protected one (§5.2), or one of ours. */
export const LARGEST_TLS_FRAGMENT = 2 ** 14 + 256
const LARGEST_MARK_FRAGMENT = 0xffff

/**
 * What a record of {@link LEG_CONTENT_TYPE} is, in the place of its version.
 *
 * `hold`: the records up to the next checkpoint and that checkpoint belong together; none of them is
 * forwarded before all are there. A KeyUpdate needs that: the gateway, which counts records, cannot see it,
 * so it must not be forwarded without the checkpoint that knows of it. The end of a response is sent so, too:
 * without its checkpoint the gateway could not tell that it was the end. `more`: a piece of a checkpoint that
 * does not fit into one record. `checkpoint`: the last or only piece. `goodbye`: the end of the stream that
 * follows is meant, and is passed on. `broken`: so is this one, and nothing must look orderly.
 */
export const MARKS = { hold: 1, more: 2, checkpoint: 3, goodbye: 4, broken: 5 } as const
export type Mark = keyof typeof MARKS

const NAMES = new Map<number, Mark>(Object.entries(MARKS).map(([name, value]) => [value, name as Mark]))

/** The mark with that number, undefined if there is none. */
export function markOf(value: number): Mark | undefined {
  return NAMES.get(value)
}

/** What the gateway reads of a checkpoint; what is sealed only containers of the function can read. */
export const LegCheckpoint = struct('LegCheckpoint', {
  /** Whose containers can go on from it. */
  functionName: text(1, 63),
  generation: uint32,
  /** Bytes from the client, since the connection began, that the checkpoint covers. */
  received: uint64,
  sealed: rest,
})
export type LegCheckpoint = TypeOf<typeof LegCheckpoint>

/**
 * What a container is told when it takes a connection over whose owner has died. It travels sealed by the
 * gateway to that container.
 */
export const TakeOver = struct('TakeOver', {
  /** The newest checkpoint's `sealed`. */
  checkpoint: opaque(1, 2 ** 24 - 1),
  /** What it is sealed for. */
  generation: uint32,
  /** Bytes from the client that it covers. */
  received: uint64,
  /** Protected records that the client was sent after it. */
  records: uint64,
  /** What the client has sent since. */
  retained: opaque(0, 2 ** 24 - 1),
})
export type TakeOver = TypeOf<typeof TakeOver>

/** A record of ours. @param fragment at most 65535 bytes */
export function markRecord(mark: Mark, fragment: Uint8Array = EMPTY): Uint8Array {
  const record = new Uint8Array(HEADER_LENGTH + fragment.length)
  writeHeader(record, mark, fragment.length)
  record.set(fragment, HEADER_LENGTH)
  return record
}

function writeHeader(record: Uint8Array, mark: Mark, length: number): void {
  record[0] = LEG_CONTENT_TYPE
  record[2] = MARKS[mark]
  record[3] = length >> 8
  record[4] = length
}

/** The records of a checkpoint: one, unless it is very large. */
export function checkpointRecords(checkpoint: LegCheckpoint): Uint8Array[] {
  const bytes = encode(LegCheckpoint, checkpoint)
  const records: Uint8Array[] = []
  let at = 0
  for (; bytes.length - at > LARGEST_MARK_FRAGMENT; at += LARGEST_MARK_FRAGMENT)
    records.push(markRecord('more', bytes.subarray(at, at + LARGEST_MARK_FRAGMENT)))
  records.push(markRecord('checkpoint', bytes.subarray(at)))
  return records
}

/** Bytes of the head of a checkpoint besides the name. */
const CHECKPOINT_HEAD = 1 + 4 + 8

/**
 * What a gateway has to know of each {@link LegCheckpoint} at once, without making anything of the rest.
 * @returns undefined for bytes that are none
 */
export function checkpointHead(
  bytes: Uint8Array,
): { readonly generation: number; readonly received: number } | undefined {
  const name = bytes[0] ?? 0
  if (name < 1 || name > 63 || bytes.length < CHECKPOINT_HEAD + name) return undefined
  for (let at = 1; at <= name; at++) if (bytes[at]! < 0x21 || bytes[at]! > 0x7e) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + 1 + name)
  const received = view.getUint32(4) * 2 ** 32 + view.getUint32(8)
  return Number.isSafeInteger(received) ? { generation: view.getUint32(0), received } : undefined
}

/** @throws DecodeError for bytes that are no checkpoint */
export function decodeCheckpoint(bytes: Uint8Array): LegCheckpoint {
  return decode(LegCheckpoint, bytes)
}
