import { type TimersLeft, timersLeft } from '../http/timers.ts'
import { TrifleCount } from '../tls13/trifles.ts'
import {
  type AnyCodec,
  type Codec,
  decode,
  encode,
  fixed,
  struct,
  type TypeOf,
  text,
  uint32,
  uint64,
  vector,
} from '../wire/index.ts'
import type { Envelope, EnvelopeExtension } from './envelope.ts'

/** What an envelope says of a connection on a leg. */
export const LegExtension = struct('LegExtension', {
  /** Bytes from the client so far, since the connection began. */
  received: uint64,
})

/** Bytes of the kernel's number of a socket. */
export const SOCKET_COOKIE_LENGTH = 8

/** What an envelope says of a connection whose socket the gateway has a duplicate of. */
export const SlotExtension = struct('SlotExtension', {
  /** The id of the gateway, which has given each container a file. */
  gateway: uint32,
  /**
   * The socket: `SO_COOKIE`, the same for every descriptor of one socket, and no other socket's until the
   * system starts anew.
   */
  cookie: fixed(SOCKET_COOKIE_LENGTH),
  slot: uint32,
  /** Of the newest checkpoint. */
  sequence: uint32,
  /** As in the checkpoint, at this moment. */
  received: uint64,
  sent: uint64,
})
export type SlotExtension = TypeOf<typeof SlotExtension>

/**
 * What an envelope says that lies with a gateway while its function sleeps: it is for one waking, and the
 * kernel knows whether there was another.
 */
export const HibernationExtension = struct('HibernationExtension', {
  /** The socket, as in {@link SlotExtension}. */
  cookie: fixed(SOCKET_COOKIE_LENGTH),
  /** Bytes that had been read from it and written to it by then; 0 where the kernel does not count. */
  read: uint64,
  written: uint64,
})
export type HibernationExtension = TypeOf<typeof HibernationExtension>

/**
 * How slowly the content of requests has come so far that no function has begun with: moving forgives
 * nothing.
 */
export const ContentRates = struct('ContentRates', {
  requests: vector(
    struct('ContentRate', {
      /** 0 over HTTP/1.1. */
      streamId: uint32,
      /** Milliseconds that the client may still be waited for. */
      left: uint32,
      /** Bytes of content that have been counted, and travel along. */
      counted: uint32,
    }),
    0,
    2 ** 16 - 1,
  ),
})
export type ContentRate = TypeOf<typeof ContentRates>['requests'][number]

/** So little spent is not worth an extension: any session has some at times, and requests pay it back. */
const HARDLY_SPENT = 1000

/** What an envelope says of the trifles of a session. */
export function trifleValue(count: TrifleCount | undefined): TrifleCount | undefined {
  return count === undefined || (count.inARow === 0 && count.spent < HARDLY_SPENT) ? undefined : count
}

/** What an envelope says of the client. */
export const ClientExtension = struct('ClientExtension', {
  /** An IP address. */
  remoteAddress: text(1, 255),
})

type Process = 'gateway' | 'container'

/** One row of {@link ENVELOPE_EXTENSIONS}. */
export interface ExtensionRow {
  readonly type: number
  readonly codec: AnyCodec
  /** The envelope's format that it came with. */
  readonly since: number
  /** Who puts it into an envelope. Containers alone open envelopes, and so they alone read it. */
  readonly writers: readonly Process[]
  /**
   * The client would notice if a container passed over it. Then every format that is read has it; a new one
   * needs a new format.
   */
  readonly critical: boolean
  /** What it says, after "says". */
  readonly says: string
  /** What comes of passing over it. */
  readonly otherwise: string
}

/**
 * Everything that an envelope may say besides its fields: one row for each extension, by its name, in the
 * order in which an envelope of ours lists them.
 */
export const ENVELOPE_EXTENSIONS = {
  leg: {
    type: 1,
    codec: LegExtension,
    since: 2,
    writers: ['gateway', 'container'],
    critical: true,
    says: 'that the connection is relayed, and how much its client has sent',
    otherwise: 'the gateway takes an orderly end for the death of the container',
  },
  slot: {
    type: 5,
    codec: SlotExtension,
    since: 3,
    writers: ['gateway', 'container'],
    critical: false,
    says: 'that the gateway has a duplicate of the socket, and where its checkpoints are',
    otherwise: 'the connection does not outlive the container',
  },
  timers: {
    type: 3,
    codec: timersLeft,
    since: 3,
    writers: ['container'],
    critical: false,
    says: 'which timers run besides `keep-alive`, whose time is `idle_left`',
    otherwise: 'the client has all its time again',
  },
  rates: {
    type: 6,
    codec: ContentRates,
    since: 3,
    writers: ['container'],
    critical: false,
    says: 'how slowly the content of requests has come so far that no function has begun with',
    otherwise: 'the client has all its time again',
  },
  trifles: {
    type: 7,
    codec: TrifleCount,
    since: 4,
    writers: ['container'],
    critical: false,
    says: 'how much of what the client has sent over TLS says nothing, if that is much',
    otherwise: 'the client may send as much again',
  },
  client: {
    type: 4,
    codec: ClientExtension,
    since: 3,
    writers: ['gateway', 'container'],
    critical: false,
    says: "what the client's address is where the socket does not know it",
    otherwise: 'functions see no address of the client',
  },
  hibernation: {
    type: 9,
    codec: HibernationExtension,
    since: 4,
    writers: ['container'],
    critical: false,
    says: 'that its function sleeps, and what had gone through its socket by then',
    otherwise: 'it is not taken: only a connection that says so is woken, and no other one says so',
  },
} as const satisfies Readonly<Record<string, ExtensionRow>>

/** Numbers that are not given again. 2 was a slot that did not name its socket. */
export const RETIRED_EXTENSIONS: readonly number[] = [2]

type Table = typeof ENVELOPE_EXTENSIONS
export type ExtensionName = keyof Table
/** What extensions say, by name. */
export type ExtensionValues = { readonly [N in ExtensionName]?: TypeOf<Table[N]['codec']> | undefined }

/**
 * What an envelope says under that name.
 * @returns undefined if nothing @throws DecodeError for bytes that are none of that extension
 */
export function extensionOf<N extends ExtensionName>(
  { extensions }: Pick<Envelope, 'extensions'>,
  name: N,
): ExtensionValues[N] {
  // Most envelopes have none.
  if (extensions.length === 0) return undefined
  const { type, codec } = ENVELOPE_EXTENSIONS[name]
  const found = extensions.find(one => one.type === type)
  return found && (decode(codec as Codec<unknown>, found.data) as ExtensionValues[N])
}

/** Extensions for an envelope, in the order of the table. */
export function writeExtensions(values: ExtensionValues): EnvelopeExtension[] {
  const list: EnvelopeExtension[] = []
  // Written out: most envelopes have none of them, and a look by name at each costs more than all the rest.
  const { leg, slot, timers, rates, trifles, client, hibernation } = values
  if (leg !== undefined) list.push(extension('leg', leg))
  if (slot !== undefined) list.push(extension('slot', slot))
  if (timers !== undefined) list.push(extension('timers', timers))
  if (rates !== undefined) list.push(extension('rates', rates))
  if (trifles !== undefined) list.push(extension('trifles', trifles))
  if (client !== undefined) list.push(extension('client', client))
  if (hibernation !== undefined) list.push(extension('hibernation', hibernation))
  return list
}

function extension<N extends ExtensionName>(name: N, value: ExtensionValues[N]): EnvelopeExtension {
  const { type, codec } = ENVELOPE_EXTENSIONS[name]
  return { type, data: encode(codec as Codec<unknown>, value) }
}

/** The same extensions, but where there is one under that name, it says this. */
export function withExtension<N extends ExtensionName>(
  extensions: readonly EnvelopeExtension[],
  name: N,
  value: ExtensionValues[N],
): EnvelopeExtension[] {
  const { type } = ENVELOPE_EXTENSIONS[name]
  return extensions.map(one => (one.type === type ? extension(name, value) : one))
}

/** The same extensions, and one more under a name that there is not. */
export function plusExtension<N extends ExtensionName>(
  extensions: readonly EnvelopeExtension[],
  name: N,
  value: NonNullable<ExtensionValues[N]>,
): EnvelopeExtension[] {
  return [...extensions, extension(name, value)]
}

/** The same extensions but that one. */
export function withoutExtension(
  extensions: readonly EnvelopeExtension[],
  name: ExtensionName,
): EnvelopeExtension[] {
  const { type } = ENVELOPE_EXTENSIONS[name]
  return extensions.filter(one => one.type !== type)
}

/** What a connection waits for. */
export interface Waits {
  readonly timers: TimersLeft
  readonly rates: readonly ContentRate[]
}

/** Nothing is waited for. */
export const NOTHING: Waits = { timers: { running: [] }, rates: [] }

/** What an envelope says of timers that run, and of the rates of content. @throws DecodeError */
export function waitsOf(envelope: Envelope): Waits {
  return {
    timers: extensionOf(envelope, 'timers') ?? NOTHING.timers,
    rates: extensionOf(envelope, 'rates')?.requests ?? NOTHING.rates,
  }
}

/** The same, for {@link writeExtensions}: nothing of what there is not. */
export function waitsValues({ timers, rates }: Waits): Pick<ExtensionValues, 'timers' | 'rates'> {
  return {
    timers: timers.running.length > 0 ? timers : undefined,
    rates: rates.length > 0 ? { requests: [...rates] } : undefined,
  }
}
