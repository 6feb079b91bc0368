import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { CryptoProvider, ServerConfig, Session } from '../../tls13/index.ts'
import type { Recorder } from '../../trace/recorder.ts'
import type { Transport } from '../../transport/transport.ts'
import { note } from '../terminal/output.ts'
import { recorded } from '../tls/recording-file.ts'
import { ConnectionTrace, type Tap, Tapped } from '../tls/trace.ts'

/** What reads along on one connection of a server. */
export interface ServerTap extends Tap {
  /** Its handshake is over. */
  secured?(session: Session): void
}

/** Makes what reads along on one more connection; undefined: nothing does. */
export type TapMaker = () => ServerTap | undefined

/** What carries one connection, how its session is made, and what reads along on it. */
export interface Below {
  readonly transport: Transport
  readonly config: ServerConfig
  readonly taps: readonly ServerTap[]
}

/** Connections that are read along. */
export function tapping(config: ServerConfig, makers: readonly TapMaker[]): (transport: Transport) => Below {
  return transport =>
    makers.reduce<Below>(
      (below, make) => {
        const tap = make()
        if (tap === undefined) return below
        const onSecret = tap.onSecret(below.config.onSecret)
        return {
          transport: new Tapped(below.transport, tap),
          config: { ...below.config, onSecret },
          taps: [...below.taps, tap],
        }
      },
      { transport, config, taps: [] },
    )
}

/** Each line of a trace begins with the number of its connection, because they go on side by side. */
export function tracing(provider: CryptoProvider): TapMaker {
  let connections = 0
  return () => {
    const number = ++connections
    return new ConnectionTrace(provider, 'server', line => note(`${number}| ${line}`))
  }
}

/** Records connections, with the session behind the handshake and behind the last answer. */
export function recording(recorder: Recorder, provider: CryptoProvider): TapMaker {
  return () => {
    const tap = recorded(recorder, { title: 'a client', own: 'server', provider, clock: SYSTEM_CLOCK })
    if (tap === undefined) return undefined
    let open: Session | undefined
    return {
      ...tap,
      sent: bytes => {
        tap.sent(bytes)
        if (open !== undefined && !open.closed) tap.state(open.snapshot(), 'after the last answer')
      },
      secured: session => {
        open = session
        if (!session.closed) tap.state(session.snapshot(), 'after the handshake')
      },
    }
  }
}
