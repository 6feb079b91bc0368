import { readFileSync } from 'node:fs'
import { loadProvider, PROVIDERS, type ProviderName } from '../platform/membership.ts'
import type { CertificateCompression, CommonConfig } from '../tls13/config.ts'
import { protocolsFault, pskFault } from '../tls13/config-rules.ts'
import { probeEvp } from '../tls13/crypto/evp.ts'
import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import { select } from '../tls13/crypto/selection.ts'
import type { ExternalPsk } from '../tls13/index.ts'
import { brotli, zlib } from '../tls13/io/compression.ts'
import { keyLogFile } from '../tls13/io/key-log-file.ts'
import { fromHex, utf8 } from '../wire/index.ts'
import { type Flags, type FlagValues, wholeNumber } from './flags.ts'
import { warn } from './output.ts'
import { CommandError, UsageError } from './usage-error.ts'

/** What `serve` and `connect` have in common. */
export const TLS_FLAGS = {
  alpn: { kind: 'list', value: 'A,B', help: 'protocols to offer or accept, in order of preference' },
  groups: {
    kind: 'list',
    value: 'A,B',
    help: 'key exchange groups, in order; default: X25519MLKEM768 first',
  },
  suites: { kind: 'list', value: 'A,B', help: 'cipher suites, in order' },
  provider: { kind: 'text', value: PROVIDERS.join('|'), help: 'whose cryptography' },
  psk: { kind: 'text', value: 'HEX', help: 'a pre-shared key; needs --psk-identity' },
  'psk-identity': { kind: 'text', value: 'TEXT', help: 'its name' },
  'cert-compression': { kind: 'list', value: 'zlib,brotli', help: 'compress certificates (RFC 8879)' },
  'record-size-limit': {
    kind: 'text',
    value: 'BYTES',
    help: 'the largest records to accept, 64 to 16385 (RFC 8449)',
  },
  'key-log': {
    kind: 'text',
    value: 'FILE',
    help: 'append all secrets, for Wireshark; SSLKEYLOGFILE does the same',
  },
} as const satisfies Flags

export type TlsFlags = FlagValues<typeof TLS_FLAGS>

/** @throws UsageError for values that make no sense, CommandError for a provider that does not work here */
export async function commonConfig(
  flags: TlsFlags,
): Promise<Omit<CommonConfig, 'provider'> & { readonly provider: CryptoProvider }> {
  const limit = flags['record-size-limit']
  const keyLog = flags['key-log'] ?? process.env.SSLKEYLOGFILE
  const compression = flags['cert-compression']?.map(compressionNamed)
  const psk = pskOf(flags)
  const fault = flags.alpn && protocolsFault(flags.alpn)
  if (fault !== undefined) throw new UsageError(`--alpn: ${fault}`)
  return {
    provider: await providerOf(flags),
    ...(flags.alpn === undefined ? {} : { alpn: flags.alpn }),
    ...(psk === undefined ? {} : { psks: [psk] }),
    ...(compression === undefined ? {} : { certificateCompression: compression }),
    // On the wire the limit counts the content type, too (RFC 8449 §4).
    ...(limit === undefined
      ? {}
      : { recordSizeLimit: wholeNumber('record-size-limit', limit, 64, 16_385) - 1 }),
    ...(keyLog === undefined || keyLog === '' ? {} : { onSecret: keyLogFile(keyLog, warn) }),
  }
}

async function providerOf({ provider, groups, suites }: TlsFlags): Promise<CryptoProvider> {
  if (provider !== undefined && !PROVIDERS.includes(provider as ProviderName))
    throw new UsageError(`--provider must be one of ${PROVIDERS.join(', ')}, not ${provider}`)
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

function compressionNamed(name: string): CertificateCompression {
  const found = { zlib, brotli }[name]
  if (found === undefined) throw new UsageError(`--cert-compression knows zlib and brotli, not ${name}`)
  return found
}

/** A text file that a flag names. @throws CommandError it cannot be read */
export function textOf(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(`--${flag} ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
