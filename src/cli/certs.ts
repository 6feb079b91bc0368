import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type CertificateName,
  isCertificateName,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type MadeCertificates,
  makeCertificates,
} from '../certificates/authority.ts'
import { certificateNames } from '../stack/certificate-names.ts'
import type { Config } from '../stack/config.ts'
import { readConfiguration } from './configuration.ts'
import { usageError } from './flags.ts'
import { UsageError } from './usage-error.ts'

const USAGE = `usage: hotpotato certs [NAME …] [options]

Makes a throw-away authority and a certificate for each function, unless they exist.

  NAME                   functions; default: those of the configuration
  --algorithm ALGORITHM  ${KEY_ALGORITHMS.join(', ')} (default: ${KEY_ALGORITHMS[0]})
  --renew                make all files of ours anew; with NAMEs only those, under the existing authority;
                         what was there is kept as .bak
  --directory DIRECTORY  where the files go (default: that of the configuration, certs)
  --config FILE          the configuration (default: hotpotato.yml)
  --client               make client certificates; needs NAMEs
  --no-localhost         leave out localhost, 127.0.0.1 and ::1
`

/** Makes certificates, or says why not. @throws UsageError, ConfigError, CertificateError */
export async function certs(args: readonly string[]): Promise<void> {
  process.stdout.write(await run(args, process.env))
}

/**
 * Does what the command line says. @returns what there is to tell the user
 * @param variables the environment
 * @throws as {@link certs}
 */
export async function run(args: readonly string[], variables: NodeJS.ProcessEnv): Promise<string> {
  const { values, positionals } = parse(args)
  if (values.help) return USAGE
  if (values.client && positionals.length === 0) throw new UsageError('--client needs the NAMEs of clients')
  for (const name of positionals) {
    if (!isCertificateName(name))
      throw new UsageError(
        `${JSON.stringify(name)} is not a certificate name: 1 to 63 of a-z, 0-9 and -, not ca`,
      )
  }
  // With names given, a configuration is welcome but not needed.
  const needed = positionals.length === 0 || values.config === undefined || existsSync(values.config)
  const config = needed ? readConfiguration(values.config, variables).config : undefined
  const directory = resolve(values.directory ?? config?.certificates ?? 'certs')
  const outcome = await makeCertificates({
    directory,
    certificates: certificatesOf(positionals, config),
    algorithm: algorithmNamed(values.algorithm),
    renew: values.renew,
    keepAuthority: positionals.length > 0,
    purpose: values.client ? 'client' : 'server',
    ...(values.localhost === undefined ? {} : { localhost: values.localhost }),
    now: Date.now(),
  })
  const place = relative(process.cwd(), directory) || '.'
  return report(outcome, place.startsWith('..') ? directory : place)
}

const OPTIONS = {
  algorithm: { type: 'string', default: KEY_ALGORITHMS[0] },
  renew: { type: 'boolean', default: false },
  directory: { type: 'string' },
  config: { type: 'string' },
  client: { type: 'boolean', default: false },
  localhost: { type: 'boolean' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, allowNegative: true, options: OPTIONS })
  } catch (error) {
    throw usageError(error, 'hotpotato certs --help', Object.keys(OPTIONS))
  }
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

function algorithmNamed(name: string): KeyAlgorithm {
  const found = KEY_ALGORITHMS.find(one => one === name)
  if (found === undefined)
    throw new UsageError(`--algorithm must be one of ${KEY_ALGORITHMS.join(', ')}, not ${name}`)
  return found
}
