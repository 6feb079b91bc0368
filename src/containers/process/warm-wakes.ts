import { Opcode, writeFrame } from '../../http/websocket/index.ts'
import type { Clock } from '../../time/clock.ts'
import type { Session } from '../../tls13/index.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import { freshEnvelope, SESSION_ID_LENGTH } from '../../transfer/envelope.ts'
import { writeExtensions } from '../../transfer/extensions.ts'
import type { Hibernated } from '../../transfer/hibernated.ts'
import { openPair, type Pair } from '../../transfer/pair.ts'
import { openStream } from '../../transfer/stream.ts'
import { EMPTY, utf8 } from '../../wire/index.ts'
import { hibernate } from '../survival/hibernation.ts'
import type { Host } from './host.ts'
import { makeHost, makeKeyRing, NAMES, type RehearsalOptions } from './rehearsal-host.ts'
import { containerTls } from './shapes.ts'
import { pretended } from './signing.ts'
import { practisedSessions } from './warm-up.ts'

/** How many connections wake, one after the other; and milliseconds for each, by default. */
const ROUNDS = 40
const PATIENCE = 500
const MASK = Uint8Array.of(1, 2, 3, 4)
const STATE = utf8('{"count":1}')

/**
 * Wakes connections with a message for a WebSocket, or a request, as a container does that a function has
 * been woken with: the first real one does not pay for what the engine has not seen before.
 * @param late whether a function waits for this process already @param patience milliseconds for each
 * @returns how many were answered
 */
export async function warmWakes(
  options: RehearsalOptions,
  late: () => boolean,
  patience = PATIENCE,
): Promise<number> {
  const { provider, certificates } = options.tls
  const own = containerTls({ provider, certificates: pretended(certificates), alpn: ['http/1.1'] })
  const host = makeHost(options, NAMES[0]!, makeKeyRing(options))
  let answered = 0
  for (let round = 0; round < ROUNDS && !late(); round++) {
    const { client, server } = practisedSessions(own)
    const sessionId = new Uint8Array(SESSION_ID_LENGTH).fill(round + 1)
    const fresh = freshEnvelope(sessionId, 1000, server.release())
    const socket = round % 3 > 0
    const envelope = socket ? asWebSocket(fresh) : fresh
    const time = { clock: options.clock, patience }
    if (await wake(host, client, envelope, socket ? MESSAGE : REQUEST, time)) answered++
  }
  await host.stop()
  return answered
}

const REQUEST = utf8(`GET / HTTP/1.1\r\nhost: ${NAMES[0]}.invalid\r\n\r\n`)
const MESSAGE = writeFrame(Opcode.TEXT, utf8('hello'), { mask: MASK })

function asWebSocket(envelope: Envelope): Envelope {
  return {
    ...envelope,
    application: {
      protocol: 'websocket',
      requestsServed: 1,
      target: '/',
      headers: [{ name: 'host', value: `${NAMES[0]}.invalid` }],
      host: `${NAMES[0]}.invalid`,
      subprotocol: undefined,
      socket: { inbound: EMPTY, outbound: EMPTY, partial: undefined, closeSent: false },
      state: STATE,
    },
    extensions: writeExtensions({ client: { remoteAddress: '127.0.0.1' } }),
  }
}

/** One connection, from its sleep to its answer. @returns whether one came */
function wake(
  host: Host,
  client: Session,
  envelope: Envelope,
  says: Uint8Array,
  { clock, patience }: { readonly clock: Clock; readonly patience: number },
): Promise<boolean> {
  const [mine, theirs] = openPair() as Pair
  const { sessionId } = envelope
  let kept: Hibernated | undefined
  const sendHibernated = (_kind: string, _to: number, _session: unknown, state: Hibernated): void => {
    kept = { ...state, checkpoint: state.checkpoint.slice() }
  }
  const sleeper = {
    functionName: host.functionName,
    checkpoints: host.checkpoints,
    courier: { sendHibernated },
  }
  const frozen = { envelope, descriptor: theirs, companions: [], offering() {}, returnTo: () => undefined }
  hibernate(sleeper, 1, frozen, () => {})
  return new Promise(resolve => {
    const stream = openStream(mine)
    const end = (answered: boolean): void => {
      timer.stop()
      stream.destroy()
      resolve(answered)
    }
    const failed = (): void => end(false)
    const timer = clock.after(patience, failed)
    stream.read({ bytes: () => end(true), end: failed, error: failed })
    const refused = kept && host.thawed(kept, { sessionId, generation: 1 }, theirs)
    if (kept === undefined || refused !== undefined) theirs.close()
    client.send(says)
    stream.write(client.takeOutput())
  })
}
