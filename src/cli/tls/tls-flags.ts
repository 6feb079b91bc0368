import { loadProvider, type ProviderName } from '../../platform/membership.ts'
import type { CommonConfig } from '../../tls13/config.ts'
import { protocolsFault, pskFault } from '../../tls13/config-rules.ts'
import { probeEvp } from '../../tls13/crypto/evp.ts'
import type { CryptoProvider } from '../../tls13/crypto/provider.ts'
import { select } from '../../tls13/crypto/selection.ts'
import type { ExternalPsk } from '../../tls13/index.ts'
import { brotli, zlib } from '../../tls13/io/compression.ts'
import { keyLogFile } from '../../tls13/io/key-log-file.ts'
import { fromHex, utf8 } from '../../wire/index.ts'
import { wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { warn } from '../terminal/output.ts'
import type { TlsFlags } from './flags.ts'

/** @throws UsageError for values that make no sense, CommandError for a provider that does not work here */
export async function commonConfig(
  flags: TlsFlags,
): Promise<Omit<CommonConfig, 'provider'> & { readonly provider: CryptoProvider }> {
  const limit = flags['record-size-limit']
  const keyLog = flags['key-log'] ?? process.env.SSLKEYLOGFILE
  const compression = flags['cert-compression']?.map(name => (name === 'zlib' ? zlib : brotli))
  const psk = pskOf(flags)
  const fault = flags.alpn && protocolsFault(flags.alpn)
  if (fault !== undefined) throw new UsageError(`--alpn: ${fault}`)
  return {
    provider: await providerOf(flags),
    ...(flags.alpn === undefined ? {} : { alpn: flags.alpn }),
    ...(psk === undefined ? {} : { psks: [psk] }),
    ...(flags['extended-key-update'] ? { extendedKeyUpdate: true } : {}),
    ...(compression === undefined ? {} : { certificateCompression: compression }),
    // On the wire the limit counts the content type, too (RFC 8449 §4).
    ...(limit === undefined
      ? {}
      : { recordSizeLimit: wholeNumber('record-size-limit', limit, 64, 16_385) - 1 }),
    ...(keyLog === undefined || keyLog === '' ? {} : { onSecret: keyLogFile(keyLog, warn) }),
  }
}

async function providerOf({ provider, groups, suites }: TlsFlags): Promise<CryptoProvider> {
  const name = (provider as ProviderName | undefined) ?? (probeEvp().available ? 'evp' : 'node')
  let loaded: CryptoProvider
  try {
    loaded = await loadProvider(name)
  } catch (error) {
    throw new CommandError((error as Error).message)
  }
  try {
    return select(loaded, {
      costly: true,
      ...(groups === undefined ? {} : { groups }),
      ...(suites === undefined ? {} : { cipherSuites: suites }),
    })
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}

function pskOf(flags: TlsFlags): ExternalPsk | undefined {
  const identity = flags['psk-identity']
  if (flags.psk === undefined && identity === undefined) return undefined
  if (flags.psk === undefined || identity === undefined)
    throw new UsageError('--psk and --psk-identity go together')
  let psk: ExternalPsk
  try {
    psk = { identity: utf8(identity), key: fromHex(flags.psk) }
  } catch {
    throw new UsageError('--psk must be hexadecimal')
  }
  const fault = pskFault(psk)
  if (fault !== undefined) throw new UsageError(`--psk and --psk-identity: ${fault}`)
  return psk
}
