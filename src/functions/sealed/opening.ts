import {
  decodeLent,
  encode,
  enumeration,
  optional,
  rest,
  struct,
  type TypeOf,
  text,
  uint8,
  vector,
} from '../../wire/index.ts'

const Variable = struct('Variable', { name: text(1, 65_535), value: text(0, 65_535) })

/** What a worker is told to begin with. */
export const Opening = struct('Opening', {
  functionName: text(1, 63),
  /** The template that it is written for. */
  lang: optional(text(1, 63)),
  /** Of a program: JSON of what holds for one process a request, {@link ForkSettings}. */
  fork: optional(text(1, 65_535)),
  functions: vector(text(1, 63), 0, 2 ** 24 - 1),
  environment: vector(Variable, 0, 2 ** 24 - 1),
  secretsDirectory: optional(text(1, 4096)),
  credential: enumeration('CredentialKind', uint8, { data_key: 0, age_identity: 1 }),
  /** Sealed. */
  bundle: rest,
})
export type Opening = TypeOf<typeof Opening>

export const writeOpening = (opening: Opening): Uint8Array => encode(Opening, opening)

/** @throws DecodeError */
export const readOpening = (bytes: Uint8Array): Opening => decodeLent(Opening, bytes)
