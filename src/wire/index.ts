/** One description of bytes, in the presentation language of RFC 8446 §3. */
export { Allowance, type Budget, TINY, TINY_PIECES } from './allowance.ts'
export { known, lent, recurring } from './borrowing.ts'
export {
  concat,
  copyInto,
  EMPTY,
  equal,
  lentView,
  plain,
  sharedUtf8,
  takePortion,
  utf8,
  viewOf,
} from './bytes.ts'
export type { Struct } from './codec.ts'
export {
  boolean,
  decode,
  decodeLent,
  encode,
  enumeration,
  fixed,
  opaque,
  optional,
  rest,
  secret,
  select,
  struct,
  text,
  uint8,
  uint16,
  uint24,
  uint32,
  uint64,
  vector,
} from './codec.ts'
export { type Annotation, annotate, describe, fromHex, hex } from './describe.ts'
export { Encoder } from './encoder.ts'
export { fresh, Scratch, SmallMemory } from './memory.ts'
export { type AnyCodec, type Codec, type TypeOf, typeName } from './notation.ts'
export { Pieces } from './pieces.ts'
export { DecodeError, Reader, type TraceEntry } from './reader.ts'
export { redact, SECRET, wipe } from './secrets.ts'
export { Writer } from './writer.ts'
