import type { ForeignCodec } from './foreign/codec.ts'
import { picotls } from './foreign/picotls.ts'

/** The formats that are known, by name. */
export const FOREIGN_CODECS: ReadonlyMap<string, ForeignCodec> = new Map([[picotls.name, picotls]])

export type { ForeignCodec } from './foreign/codec.ts'
export { ForeignError } from './foreign/error.ts'
