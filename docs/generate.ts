import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UpstreamState } from '../src/client/state.ts'
import { stackSchema } from '../src/stack/schema.ts'
import { TlsReasons } from '../src/tls13/reasons.ts'
import { MAX_UPSTREAMS } from '../src/transfer/channels/limits.ts'
import { Return } from '../src/transfer/consignments/return.ts'
import { CONTROL } from '../src/transfer/control.ts'
import { Envelope, FORMAT_VERSION, OLDEST_VERSION } from '../src/transfer/envelope.ts'
import { ENVELOPE_EXTENSIONS, RETIRED_EXTENSIONS } from '../src/transfer/extensions.ts'
import { LegCheckpoint, TakeOver } from '../src/transfer/leg.ts'
import { LoanAnswer, LoanRequest } from '../src/transfer/loans/loan.ts'
import { RelayedState } from '../src/transfer/relay-state.ts'
import { SealedContext, SealedMessage, SealingKeyInfo } from '../src/transfer/seal.ts'
import {
  AREA_LENGTH,
  HEADER_LENGTH,
  SlotCheckpoint,
  SlotFileOffer,
  SlotHeader,
} from '../src/transfer/slot.ts'
import { QUEUE_LIMIT, TCP_VERSION, TcpState } from '../src/transfer/tcp/state.ts'
import { describe } from '../src/wire/index.ts'
import { commandsPage } from './pages/commands.ts'
import { stackFile } from './pages/stack-file.ts'
import { states } from './pages/states.ts'

/**
 * The pages that are drawn from the code, by their file name in `docs/`. A test compares them with what is
 * committed.
 */
export function generatedPages(): Readonly<Record<string, string>> {
  return {
    'transfer-format.md': transferFormat(),
    'states.md': states(),
    'tls-errors.md': tlsErrors(),
    'stack-file.md': stackFile(),
    'commands.md': commandsPage(),
    '../schema/hotpotato.schema.json': `${JSON.stringify(stackSchema(), null, 2)}\n`,
  }
}

function code(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``
}

function transferFormat(): string {
  return `# The transfer format

Generated from the codecs by \`npm run docs\`; a test fails when this page is not current. The notation is
that of RFC 8446 §3, with two additions: \`optional<T>\` is one byte, 0 or 1, and then T if it is 1;
\`opaque name[the rest]\` is everything up to the end of what contains it. Text is UTF-8. Everything is
big-endian.

## The envelope

Everything that a connection is, apart from its byte stream. The format version is ${FORMAT_VERSION}. There is
exactly one encoding of one state, so \`encode(decode(x))\` is \`x\`. A reader refuses another format version,
anything truncated, and anything left over; it passes over extensions that it does not know. Formats
${OLDEST_VERSION} to ${FORMAT_VERSION} are read, and ${FORMAT_VERSION} is written; format 6 knows neither
\`upstreams\` nor the protocols \`http1_upload\` and \`http2_streams\`, format 5 not the key updates
\`negotiating\` and \`extended\`, format 4 neither \`http1_response\` nor \`http2_responses\`, format 3
has no \`peer_intermediates\`, format 2 knows neither \`http2\` nor \`websocket\`. Format 1 is read no
more: it is refused with reason \`version\`. Golden envelopes are in \`vectors/transfer/\`.

**Changing it.** A change of any struct below is a new format version with a new golden envelope. In a fleet,
every process learns to read the new version before any process writes it. Where containers of two releases
run side by side, the older ones refuse what they cannot read: such a request is answered with 503, and its
connection stays whole and where it is.

${code(describe(Envelope))}

What the state of an upstream is, \`ClientConnectionState\` being that of [the client](client.md):

${code(describe(UpstreamState))}

### Extensions

A container passes over an extension that it does not know. So a critical one, of which the client would
notice that, is in every format that is read; a new one needs a new format. ${retired()}

${extensions()}

${Object.values(ENVELOPE_EXTENSIONS)
  .map(({ codec }) => code(describe(codec)))
  .join('\n\n')}

## Sealing

An envelope never travels bare. It is sealed to one process by another (\`src/transfer/seal.ts\`): both have
an X25519 key pair, made at start; from the shared secret, HKDF derives one key for each direction, with
\`SealingKeyInfo\` as its info, so that the key is bound to both identities. \`SealedMessage\` is what is
sent. Its counter is the AEAD's nonce; it only grows, and a receiver opens only what has a greater counter
than all before: an envelope is imported at most once. \`SealedContext\` is the additional data.

${code(describe(SealingKeyInfo))}

${code(describe(SealedMessage))}

${code(describe(SealedContext))}

## The control protocol

What supervisor, gateway and containers say to each other over their channels. The first byte of every message
is the version. It does not say who has sent it: each two processes have a pair of their own, which does. Who
may say what is the end of \`src/transfer/control.ts\`: orders come from the supervisor alone, take-overs,
relayed connections and slots from gateways. Descriptors travel beside the message: two with \`introduce\`
where channels are native (an end of the pair of the two), one with \`parcel\` (the client's connection;
behind it, of each upstream that is live, in their order, at most ${MAX_UPSTREAMS}),
\`takeOver\` (the container's end of a new leg, or the client's connection) and \`slots\` (the receiver's file
of slots), two with \`relayed\` (the client's connection and the gateway's end of the leg).

${code(describe(CONTROL))}

## Relayed connections

What the gateway reads of a checkpoint that a container writes between its records, what it gives to the
container that takes over (\`takeOver\`), and what it gives to the gateway that takes its place (\`relayed\`),
the last two sealed like envelopes. The checkpoint's own \`sealed\` only containers of the function can open.

${code(describe(LegCheckpoint))}

${code(describe(TakeOver))}

${code(describe(RelayedState))}

A connection that [comes back warm](moves.md#coming-back-warm), sealed as an envelope is; its other types are
the envelope's:

${code(newIn(describe(Return), describe(Envelope)))}

## Slots

With \`duplicate: true\` an envelope has the extension \`slot\`. The file that the gateway shares with a
container, which the message \`slots\` brings with a \`SlotFileOffer\`, sealed, has ${HEADER_LENGTH} bytes for
a \`SlotHeader\` of each slot; at the next multiple of 4096, two areas of ${AREA_LENGTH} bytes for a
\`SlotCheckpoint\` of each slot, of which the one with an even sequence number is the first. Each is a frame:
CRC-32 of all that follows (4 bytes), length of the content (4), sequence number (4), content. The file
belongs to the processes of one machine that run now: it has no version.

${code(describe(SlotHeader))}

${code(describe(SlotCheckpoint))}

${code(describe(SlotFileOffer))}

## Requests that are lent

While a connection of HTTP/2 is busy, a request on it for another function may be lent to a container of that
function (\`src/containers/move/policy.ts\`). The messages \`loan\` and \`loaned\` carry these, sealed like
envelopes; what stands for the session id there is a label of its own for each.

${code(describe(LoanRequest))}

${code(describe(LoanAnswer))}

## TCP connections

What one host's kernel says of a connection, so that the kernel of another one can go on with it
([hosts.md](hosts.md#tcp-connections-themselves)). It has a version of its own, ${TCP_VERSION}, and is refused
under any other. Each queue has at most ${QUEUE_LIMIT} bytes. Ports are not 0, a segment has
at least 88 bytes, no window is shifted by more than 14 bits. Golden states are in
\`vectors/transfer/tcp-v1.json\`.

${code(describe(TcpState))}
`
}

function extensions(): string {
  const lines = Object.entries(ENVELOPE_EXTENSIONS).map(([name, row]) => {
    const [codec] = row.codec.notation.split(' ')
    const cells = [row.type, `\`${name}\``, `\`${codec}\``, row.since, row.writers.join(', ')]
    return `| ${[...cells, row.critical ? 'yes' : 'no', row.says, row.otherwise].join(' | ')} |`
  })
  const head = ['type', 'name', 'codec', 'since format', 'written by', 'critical', 'says', 'passed over']
  return [`| ${head.join(' | ')} |`, `| ${head.map(() => '---').join(' | ')} |`, ...lines].join('\n')
}

/** The definitions of one description that another one has not. */
function newIn(description: string, known: string): string {
  const others = new Set(known.split('\n\n'))
  return description
    .split('\n\n')
    .filter(one => !others.has(one))
    .join('\n\n')
}

function retired(): string {
  return `Retired, and not given again: ${RETIRED_EXTENSIONS.join(', ')}.`
}

function tlsErrors(): string {
  const lines = Object.entries(TlsReasons).map(([name, sentence]) => `| \`${name}\` | ${sentence} |`)
  return `# Errors of TLS

Generated from \`src/tls13/reasons.ts\` by \`npm run docs\`; a test fails when this page is not current.

A session ends with a \`TlsError\`. Its \`alert\` is what the peer is told (RFC 8446 §6), its \`origin\` whose
fault it is, and its \`reason\` which rule was broken. Match the reason: its message is for people and may
change. A verifier, or a signer, throws \`new TlsError(alert, origin, 'refused_by_application', message)\`.
\`hotpotato connect\` and \`serve\` print the reason behind the message; containers log it as \`reason\` of
"the TLS session failed", and the gateway with what it dropped.

Sections are those of RFC 8446 where no other RFC is named.

| reason | what happened |
| --- | --- |
${lines.join('\n')}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // This runs compiled, in dist/docs.
  const directory = join(dirname(fileURLToPath(import.meta.url)), '../../docs')
  for (const [name, text] of Object.entries(generatedPages())) writeFileSync(join(directory, name), text)
}
