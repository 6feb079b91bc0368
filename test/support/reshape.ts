import type { AlertName } from '../../src/tls13/alert.ts'
import { EXTENSIONS, type ExtensionMessage, type ExtensionName } from '../../src/tls13/extensions.ts'
import type { Extension, HandshakeMessage, MessageOf, MessageType } from '../../src/tls13/messages.ts'
import type { TlsReason } from '../../src/tls13/reasons.ts'
import { type AnyCodec, encode } from '../../src/wire/index.ts'

/** A change to one's own message before it is sent. */
export type Reshape = (message: HandshakeMessage) => HandshakeMessage

/** Changes the messages of one type and leaves the others. `turn` counts them from 0. */
export function reshape<T extends MessageType>(
  type: T,
  change: (message: MessageOf<T>, turn: number) => Partial<MessageOf<T>>,
): () => Reshape {
  return () => {
    let turn = 0
    return message =>
      message.type === type
        ? ({ ...message, ...change(message as MessageOf<T>, turn++) } as HandshakeMessage)
        : message
  }
}

type Carrying = { readonly extensions: readonly Extension[] }

/** A list of extensions without one. */
export function without({ extensions }: Carrying, name: ExtensionName): { extensions: Extension[] } {
  return { extensions: extensions.filter(one => one.extensionType !== EXTENSIONS[name].type) }
}

/** A list of extensions in which one has other bytes; put at the end if it was not there. */
export function withBytes(
  { extensions }: Carrying,
  name: ExtensionName | number,
  extensionData: Uint8Array,
): { extensions: Extension[] } {
  const extensionType = typeof name === 'number' ? name : EXTENSIONS[name].type
  const changed = { extensionType, extensionData }
  return extensions.some(one => one.extensionType === extensionType)
    ? { extensions: extensions.map(one => (one.extensionType === extensionType ? changed : one)) }
    : { extensions: [...extensions, changed] }
}

/** A list of extensions in which one has another value, in the form that it has in such a message. */
export function withValue(
  message: Carrying,
  carrier: ExtensionMessage,
  name: ExtensionName,
  value: unknown,
): { extensions: Extension[] } {
  const codec = (EXTENSIONS[name].in as Partial<Record<ExtensionMessage, AnyCodec>>)[carrier]
  if (codec === undefined) throw new Error(`${name} has no form in ${carrier}`)
  return withBytes(message, name, encode(codec, value))
}

/** A list of extensions with one of them twice. */
export function twice({ extensions }: Carrying, name: ExtensionName): { extensions: Extension[] } {
  const found = extensions.find(one => one.extensionType === EXTENSIONS[name].type)
  if (found === undefined) throw new Error(`${name} is not there to be doubled`)
  return { extensions: [...extensions, found] }
}

/** One thing that is forbidden. */
export interface Row {
  readonly what: string
  /** Of RFC 8446, unless it says otherwise. */
  readonly section: string
  readonly alert: AlertName
  readonly reason: TlsReason
  /** Default: the peer's fault. */
  readonly origin?: 'peer' | 'configuration' | 'local'
}
