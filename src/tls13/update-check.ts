import { DecodeError, decode } from '../wire/index.ts'
import { configurationError, TlsError } from './alert.ts'
import type { CryptoProvider } from './crypto/provider.ts'
import { KeyShareEntry } from './extensions.ts'
import { decodeHandshake } from './messages.ts'
import type { SessionState } from './state.ts'
import type { UpdateExchange } from './update-state.ts'

/**
 * Whether what a state says of extended key updates makes sense by itself, and can go on here.
 * @param hashLength bytes
 * @throws TlsError internal_error (configuration) for a group that the provider lacks, or a contradiction
 */
export function checkUpdate(
  { keyUpdate, handshake }: SessionState,
  { name, groups }: CryptoProvider,
  hashLength: number,
): void {
  if (keyUpdate.kind === 'none' || keyUpdate.kind === 'owed') return
  const { group, exporterSecret } = keyUpdate
  if (!groups.some(({ id }) => id === group)) {
    const what = `provider ${name} has no group 0x${group.toString(16)}`
    throw configurationError('internal_error', 'missing_group', what)
  }
  const connected = handshake.state === 'CONNECTED'
  if (keyUpdate.kind === 'negotiating') {
    insist(!connected, 'updates of keys that are still being negotiated')
    insist(exporterSecret.length === 0 || exporterSecret.length === hashLength, LENGTHS)
    return
  }
  insist(connected, 'updates of keys before the handshake is over')
  const { salt, transcriptHash, exchange } = keyUpdate
  const secrets = [salt, transcriptHash, exporterSecret, ...secretsOf(exchange)]
  insist(
    secrets.every(({ length }) => length === hashLength),
    LENGTHS,
  )
  if (exchange?.stage === 'WAIT_RESPONSE') insist(isRequest(exchange.request, group), 'no request of ours')
}

const LENGTHS = 'a secret or a hash that is not as long as the hash of the suite'

function secretsOf(exchange: UpdateExchange | undefined): readonly Uint8Array[] {
  switch (exchange?.stage) {
    case 'RESPONSE_OWED':
      return [exchange.writeSecret, exchange.readSecret, exchange.exporterSecret]
    case 'WAIT_FINISH':
      return [exchange.readSecret, exchange.exporterSecret]
    default:
      return []
  }
}

function isRequest(raw: Uint8Array, group: number): boolean {
  try {
    const message = decodeHandshake(raw)
    return message.type === 'extended_key_update' && decode(KeyShareEntry, message.content).group === group
  } catch (error) {
    if (error instanceof DecodeError || error instanceof TlsError) return false
    throw error
  }
}

function insist(makesSense: boolean, what: string): void {
  if (!makesSense) throw configurationError('internal_error', 'update_contradiction', what)
}
