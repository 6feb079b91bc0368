import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { httpsFetch } from '../../acme/fetch.ts'
import { orderedName } from '../../acme/names.ts'
import { AcmeServer } from '../../acme/server.ts'
import type { CertificateRecord } from '../../acme/store.ts'
import type { AcmeWishes } from '../../acme/wishes.ts'
import type { AcmeSettings, ChallengeType, LeafKey, WantedCertificate } from '../../platform/acme-settings.ts'
import { acmeCertificates, acmeDirectory, isEmail } from '../../stack/acme.ts'
import type { Config } from '../../stack/config.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { FlagValues } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import type { CERT_FLAGS } from './flags.ts'

export type CertOptions = FlagValues<typeof CERT_FLAGS>

const LEAST = {
  email: undefined,
  agreeToTerms: false,
  externalAccount: undefined,
  ca: undefined,
  keyType: 'ecdsa-p256',
  challenge: 'http-01',
  profile: undefined,
} as const

/**
 * What the command line says, and of the rest the stack file.
 * @param before how a certificate was asked for that is none of the stack file's: that holds, too
 * @throws UsageError
 */
export function settingsOf(
  options: CertOptions,
  { tls }: Pick<Config, 'tls'>,
  before?: Pick<CertificateRecord, 'directory' | 'ordered'>,
): AcmeSettings {
  const own = tls.acme ?? { ...LEAST, directory: acmeDirectory('letsencrypt')! }
  const acme = before === undefined ? own : { ...own, directory: before.directory, ...before.ordered }
  const directory = options.directory === undefined ? acme.directory : acmeDirectory(options.directory)
  if (directory === undefined)
    throw new UsageError(`--directory must be letsencrypt, letsencrypt-staging or an https URL`)
  const { email = acme.email } = options
  if (email !== undefined && !isEmail(email))
    throw new UsageError(`--email must be one address, not ${email}`)
  const { 'eab-kid': keyId, 'eab-key-file': keyFile } = options
  if ((keyId === undefined) !== (keyFile === undefined))
    throw new UsageError('--eab-kid and --eab-key-file go together')
  return {
    directory,
    email,
    agreeToTerms: options['agree-to-terms'] || acme.agreeToTerms,
    externalAccount: keyId === undefined || keyFile === undefined ? acme.externalAccount : { keyId, keyFile },
    ca: options.ca === undefined ? acme.ca : resolve(options.ca),
    keyType: (options['key-type'] as LeafKey | undefined) ?? acme.keyType,
    challenge: (options.challenge as ChallengeType | undefined) ?? acme.challenge,
    profile: options.profile ?? acme.profile,
  }
}

/** The certificate of that name, for these hosts, or those of the stack file. @throws UsageError */
export function wantedOf(
  name: string,
  domains: readonly string[] | undefined,
  config: Config,
): WantedCertificate {
  if (domains !== undefined) return { name, names: [...new Set(domains.map(orderedName))] }
  const found = acmeCertificates(config).find(one => one.name === name)
  if (found === undefined)
    throw new UsageError(`cert issue ${name} needs --domain, or tls.acme in the stack file for it`)
  return found
}

/** The same with what files have in place of their names. @throws CommandError one cannot be read */
export function wishesOf({ externalAccount, ...settings }: AcmeSettings): AcmeWishes {
  if (externalAccount === undefined) return { ...settings, externalAccount }
  const { keyId, keyFile } = externalAccount
  const secret = readText(keyFile).trim().replace(/=+$/, '')
  return { ...settings, externalAccount: { keyId, secret } }
}

/** @throws CommandError its file of authorities cannot be read */
export function serverOf({ ca, directory }: Pick<AcmeSettings, 'ca' | 'directory'>): AcmeServer {
  const fetch = httpsFetch(ca === undefined ? undefined : readText(ca))
  return new AcmeServer({ fetch, clock: SYSTEM_CLOCK, directory })
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
