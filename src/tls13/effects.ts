import type { CommonConfig, SessionEvent } from './config.ts'
import { assertNoPartialMessage } from './input-rules.ts'
import type { RecordLayer } from './record-layer.ts'
import type { Effect } from './transition.ts'

/**
 * Makes one effect of a transition happen.
 * @param events takes what transitions report
 * @throws TlsError unexpected_message if the key to read with changes inside a message
 */
export function perform(
  effect: Effect,
  records: RecordLayer,
  config: Pick<CommonConfig, 'onSecret'>,
  events: SessionEvent[],
): void {
  switch (effect.do) {
    case 'write':
      records.output.handshake(effect.message)
      return
    case 'writeChangeCipherSpec':
      records.changeCipherSpec()
      return
    case 'writeWith':
      records.writeWith(effect.secret)
      return
    case 'writeInClear':
      records.writeInClear()
      return
    case 'readWith':
      // §5.1: a key change must not fall inside a message.
      assertNoPartialMessage(records.state)
      records.readWith(effect.secret)
      return
    case 'expose':
      if (records.state.clientRandom !== undefined)
        config.onSecret?.(effect.exposed, records.state.clientRandom)
      return
    case 'report':
      events.push(effect.event)
  }
}
