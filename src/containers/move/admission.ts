import type { FunctionModule } from '../../functions/module.ts'
import type { Clock } from '../../time/clock.ts'
import type { ServerConfig } from '../../tls13/index.ts'
import { TlsError } from '../../tls13/index.ts'
import type { Http2Passenger } from '../../transfer/consignments/application.ts'
import type { Envelope, FrozenCall } from '../../transfer/envelope.ts'

/**
 * Where a connection comes from: a container of our own function (or its checkpoint), the gateway, or another
 * function.
 */
export type Origin = 'kin' | 'stranger'

/**
 * Whether a container's own rules hold for a connection whose handshake was made, or begun, elsewhere.
 *
 * A container that has held a session's keys can speak as its client. So what a session says of its client is
 * worth something only if it has never left the function whose handshake it was: from other functions a
 * function that demands certificates takes nothing but what has not begun.
 * @returns why not: its requests belong on a connection of their own (RFC 9110 §15.5.20)
 */
export function objection(
  { tls }: Pick<Envelope, 'tls'>,
  origin: Origin,
  { clientCertificates, earlyData }: ServerConfig,
  clock: Pick<Clock, 'wall'>,
): string | undefined {
  const demanding = clientCertificates?.required === true && clientCertificates.postHandshake !== true
  if (tls === undefined) return demanding ? NO_CERTIFICATE : undefined
  const { handshake, peerCertificate, peerIntermediates } = tls
  if (handshake.state === 'WAIT_EOED' && earlyData === undefined) return 'early data is not accepted here'
  // A handshake that has not begun goes on under our own rules.
  if (!demanding || handshake.state === 'START') return undefined
  if (origin === 'stranger') return ELSEWHERE
  if (YET_TO_SHOW.has(handshake.state)) return undefined
  const shown = handshake.state === 'WAIT_CV' ? handshake.certificate : peerCertificate
  if (shown === undefined) return NO_CERTIFICATE
  const { verify } = clientCertificates
  if (verify === 'ask') return 'certificates can be judged only during a handshake'
  try {
    verify([shown, ...peerIntermediates], { serverName: tls.serverName, now: clock.wall() })
    return undefined
  } catch (error) {
    if (error instanceof TlsError) return `the client's certificate is not accepted here: ${error.message}`
    throw error
  }
}

/** In which the client's certificate has not come, or has not been judged. */
const YET_TO_SHOW: ReadonlySet<string> = new Set([
  'WAIT_SECOND_CLIENT_HELLO',
  'WAIT_COOKIE',
  'WAIT_REPLAY_CHECK',
  'WAIT_SIGNATURE',
  'WAIT_CERT',
  'WAIT_VERDICT',
])

/** Why what was begun elsewhere cannot go on here; undefined: it can, or there is nothing of that kind. */
export function unresumable(
  { application }: Pick<Envelope, 'application'>,
  origin: Origin,
  { resume, webSocket }: Pick<FunctionModule, 'resume' | 'webSocket'>,
): string | undefined {
  const { protocol } = application
  if (protocol === 'websocket' || (protocol === 'http2_streams' && application.passengers.some(isSocket))) {
    if (origin === 'stranger') return "another function's WebSocket"
    if (webSocket === undefined) return 'the function here knows no WebSockets'
  }
  const calls = callsOf(application)
  if (calls.length === 0) return undefined
  // What a function has frozen is its own word to itself.
  if (origin === 'stranger') return "another function's response"
  if (resume !== undefined || calls.every(({ state }) => state === undefined)) return undefined
  return 'the function here has no export `resume`'
}

/** The calls that are in their middle. */
function callsOf(application: Envelope['application']): readonly FrozenCall[] {
  switch (application.protocol) {
    case 'http1_response':
    case 'http1_upload':
      return [application.call]
    case 'http2_responses':
      return application.calls.map(({ call }) => call)
    case 'http2_streams':
      return application.passengers.flatMap(({ frozen }) => ('call' in frozen ? [frozen.call] : []))
    default:
      return []
  }
}

function isSocket({ frozen }: Http2Passenger): boolean {
  return frozen.kind === 'websocket'
}

/** Makes a session forget what another function says of its client. */
export function forgetClient({ tls }: Pick<Envelope, 'tls'>): void {
  if (tls === undefined) return
  tls.peerCertificate = undefined
  tls.peerIntermediates = []
}

/** For what comes without a session, too. */
export const NO_CERTIFICATE = 'the client has shown no certificate'
const ELSEWHERE = 'the client has shown no certificate here: the connection was with another function'
