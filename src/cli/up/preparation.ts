import { AcmeError } from '../../acme/error.ts'
import { AcmeStore } from '../../acme/store.ts'
import { checkCertificates, MAKE, makeCertificates } from '../../certificates/authority.ts'
import { CertificateError, loadCertificate } from '../../certificates/load.ts'
import { PROVIDERS, type ProviderName } from '../../platform/membership.ts'
import { acmeCertificates } from '../../stack/acme.ts'
import { certificateNames } from '../../stack/certificate-names.ts'
import { type Config, ConfigError } from '../../stack/config.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { probeEvp } from '../../tls13/crypto/evp.ts'
import { alone } from '../cert/alone.ts'
import { CommandError } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { nameOf } from './welcome.ts'

/** What variables that are no part of the configuration may say; empty is as good as not there. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  HOTPOTATO_PROVIDER: PROVIDERS,
  HOTPOTATO_CHANNEL: ['native', 'ipc'],
  HOTPOTATO_STREAM: ['raw', 'socket'],
  HOTPOTATO_LOG_LEVEL: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
}

/** How TLS is computed, and why so. */
export interface ChosenProvider {
  readonly name: ProviderName
  readonly reason: string
}

/** A reason not to start that the user can mend; it is printed as one line. */
export class UpError extends CommandError {}

/**
 * Makes what is missing, and anew what of ours is of no use; what is not ours, and the authority, are named
 * with what their owner can do.
 */
export async function prepareCertificates(config: Config, how: (command: string) => string): Promise<void> {
  const { certificates: directory } = config
  const now = Date.now()
  const own = acmeCertificates(config).map(({ name }) => name)
  if (own.length > 0) await endOrders(config, own)
  const awaited = own.filter(name => isGoodEnough(config, name))
  const certificates = certificateNames(config).filter(one => !awaited.includes(one.name))
  const broken = checkCertificates(directory, certificates, now).filter(({ command }) => command !== MAKE)
  // Messages name the command for a directory of the default configuration.
  const here = (text: string): string =>
    text.replace(/npx --no hotpotato (certs( --renew)?)/g, (_, one) => how(one))
  if (broken.length > 0) throw new UpError(here(broken.map(({ message }) => message).join('\n')))
  if (certificates.length === 0) return
  const { made, backups } = await makeCertificates({ directory, certificates, now }).catch(
    (error: unknown) => {
      throw error instanceof CertificateError ? new UpError(here(error.message)) : error
    },
  )
  if (made.length > 0) say(`made throw-away certificates for ${made.join(', ')} in ${nameOf(directory)}/`)
  if (backups.length > 0) say(`what was there before is kept as ${backups.join(', ')}`)
}

/** What orders of an earlier process have brought is put into its place, unless another process does so. */
async function endOrders({ certificates }: Config, names: readonly string[]): Promise<void> {
  const store = new AcmeStore(certificates)
  try {
    const ready = names.filter(name => store.order(name).load()?.chain !== undefined)
    if (ready.length === 0) return
    await alone(store.directory, async () => {
      for (const name of ready) store.settle(name, SYSTEM_CLOCK.wall())
    })
  } catch (error) {
    if (error instanceof AcmeError) throw new UpError(error.message)
    if (!(error instanceof CertificateError)) throw error
    // It is tried again when the certificate is asked for.
  }
}

/**
 * Whether a certificate is good enough until an authority has been asked for another one: it has come from an
 * authority, and can be read.
 */
function isGoodEnough(config: Config, name: string): boolean {
  try {
    loadCertificate(config.certificates, name)
    return new AcmeStore(config.certificates).isOurs(name)
  } catch (error) {
    if (error instanceof AcmeError) throw new UpError(error.message)
    if (!(error instanceof CertificateError)) throw error
    return false
  }
}

/** Refuses what would otherwise be taken for the default, or end in a stack trace. */
export function checkVariables(): void {
  for (const [name, values] of Object.entries(VARIABLES)) {
    const value = process.env[name]
    if (value !== undefined && value !== '' && !values.includes(value))
      throw new ConfigError(
        `${name} must be ${values.slice(0, -1).join(', ')} or ${values.at(-1)}, not ${value}`,
      )
  }
}

export function logLevel(): string {
  return process.env.HOTPOTATO_LOG_LEVEL || 'info'
}

/**
 * What HOTPOTATO_PROVIDER asks for, or else the fastest that works here. evp is tried in this process,
 * because otherwise every container would fail by itself.
 */
export function chooseProvider(): ChosenProvider {
  const name = PROVIDERS.find(one => one === process.env.HOTPOTATO_PROVIDER)
  if (name !== undefined && name !== 'evp') return { name, reason: `HOTPOTATO_PROVIDER=${name}` }
  const probed = probeEvp()
  if (probed.available) return { name: 'evp', reason: 'foreign calls to OpenSSL work' }
  if (name === 'evp') throw new UpError(`HOTPOTATO_PROVIDER=evp does not work here: ${probed.reason}`)
  return { name: 'node', reason: probed.reason }
}
