import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import {
  type CertificateName,
  isCertificateName,
  type KeyAlgorithm,
  type MadeCertificates,
  makeCertificates,
} from '../../certificates/authority.ts'
import { certificateNames } from '../../stack/certificate-names.ts'
import type { Config } from '../../stack/config.ts'
import type { FlagValues } from '../line/flags.ts'
import { UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import type { CERTS_FLAGS } from './flags.ts'

type Options = FlagValues<typeof CERTS_FLAGS>

/**
 * Makes certificates, or says why not. @returns what there is to tell the user
 * @param names those of functions or clients @param variables the environment
 * @throws UsageError, ConfigError, CertificateError
 */
export async function certs(
  names: readonly string[],
  options: Options,
  variables: NodeJS.ProcessEnv,
): Promise<string> {
  if (options.client && names.length === 0) throw new UsageError('--client needs the NAMEs of clients')
  if (options.client && options.delegation) throw new UsageError('--delegation is for servers')
  for (const name of names) {
    if (!isCertificateName(name))
      throw new UsageError(
        `${JSON.stringify(name)} is not a certificate name: 1 to 63 of a-z, 0-9 and -, not ca`,
      )
  }
  // With names given, a configuration is welcome but not needed.
  const needed = names.length === 0 || options.config === undefined || existsSync(options.config)
  const config = needed ? readConfiguration(options.config, variables).config : undefined
  const directory = resolve(options.directory ?? config?.certificates ?? 'certs')
  const outcome = await makeCertificates({
    directory,
    certificates: certificatesOf(names, config),
    ...(options.algorithm === undefined ? {} : { algorithm: options.algorithm as KeyAlgorithm }),
    renew: options.renew,
    keepAuthority: names.length > 0,
    purpose: options.client ? 'client' : 'server',
    delegation: options.delegation,
    ...(options['no-localhost'] ? { localhost: false } : {}),
    now: Date.now(),
  })
  const place = relative(process.cwd(), directory) || '.'
  return report(outcome, place.startsWith('..') ? directory : place)
}

/** What was done, a line for each certificate. */
function report({ made, kept, foreign, backups }: MadeCertificates, directory: string): string {
  const file = (name: string) => join(directory, `${name}.crt`)
  const lines = [
    ...made.map(name => `made ${file(name)}`),
    ...kept.map(name => `kept ${file(name)}`),
    ...foreign.map(name => `kept ${file(name)}: hotpotato did not make it, or not its key`),
    ...(backups.length === 0 ? [] : [`what was there before is kept in ${backups.join(', ')}`]),
  ]
  return `${lines.join('\n')}\nTrust them with: curl --cacert ${file('ca')} https://…\n`
}

/** The named certificates, or all of the configuration, each for the hosts of the functions that use it. */
function certificatesOf(names: readonly string[], config: Config | undefined): CertificateName[] {
  const all = config === undefined ? [] : certificateNames(config)
  if (names.length === 0) return all
  return [...new Set(names)].map(name => all.find(one => one.name === name) ?? { name })
}
