import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Signing } from '../../src/containers/process/signing.ts'
import type { SignerSettings } from '../../src/platform/signer-settings.ts'
import type { MemberSpec, OfOneProcess } from '../../src/stack/spec.ts'
import { openSwitchboard } from '../../src/supervisor/member.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import type { CryptoProvider } from '../../src/tls13/index.ts'
import { NativeChannel } from '../../src/transfer/channels/native.ts'
import { decodeControl, writeControl } from '../../src/transfer/control.ts'
import { createIdentity } from '../../src/transfer/seal.ts'
import type { ProviderStack } from './rows.ts'

/** The ids of the signer and of this process. */
const [SIGNER, SELF] = [1, 2]
const NAME = 'bench'
const ENTRY = new URL('../../src/keys/main.js', import.meta.url)
const PATIENCE = 10_000

/**
 * Starts a signer as the supervisor does, with one key, and makes this process a container of its function.
 * @returns what asks it for signatures, as soon as it has said for which certificate
 */
export async function startSigner(
  stack: ProviderStack,
  provider: CryptoProvider,
  { certificate, key }: { readonly certificate: string; readonly key: string },
): Promise<Signing> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
  try {
    writeFileSync(join(directory, `${NAME}.crt`), certificate)
    writeFileSync(join(directory, `${NAME}.key`), key, { mode: 0o600 })
    const settings: Omit<SignerSettings, OfOneProcess> = {
      name: 'signer',
      channel: 'native',
      provider: stack,
      logLevel: 'silent',
      spans: { rotationSeconds: 3600, lifetimeSeconds: 7200 },
      certificates: [{ functionName: NAME, directory, name: NAME }],
    }
    const spec: MemberSpec = { name: 'signer', role: 'signer', entry: ENTRY, settings }
    const board = openSwitchboard('native', SYSTEM_CLOCK)
    const ready = new Promise<void>(resolve => {
      board.channel.onMessage = (_from, payload) => {
        if (decodeControl(payload).kind === 'ready') resolve()
      }
    })
    board.start(SIGNER, spec)
    await ready
    const [theirs, ours] = board.pair()
    const own = NativeChannel.open(SELF)
    const signing = new Signing(provider, SYSTEM_CLOCK, PATIENCE, (to, message) => {
      own.send(to, writeControl(message))
      return true
    })
    own.onMessage = (from, payload) => signing.take(decodeControl(payload), from)
    own.addPeer(SIGNER, ours)
    const { publicKey } = createIdentity(provider, SELF)
    const peer = { id: SELF, role: 'container', name: `${NAME}-1`, functionName: NAME, publicKey } as const
    board.channel.send(SIGNER, writeControl({ kind: 'introduce', peer }), theirs)
    for (const end of theirs) end.close()
    await signing.ready
    return signing
  } finally {
    rmSync(directory, { recursive: true })
  }
}
