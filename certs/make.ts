import { existsSync, realpathSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  CertificateError,
  type CertificateName,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type MadeCertificates,
  makeCertificates,
} from '../src/certificates/authority.ts'
import { guardOutput } from '../src/cli/output.ts'
import { certificateNames } from '../src/supervisor/certificate-names.ts'
import { type Config, ConfigError, loadConfig } from '../src/supervisor/config.ts'

const USAGE = `Usage: npm run certs -- [NAME ...] [options]

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

/**
 * Does what the command line says. @returns what there is to tell the user
 * @param variables the environment
 * @throws Error with a message for the user
 */
export async function run(args: readonly string[], variables: NodeJS.ProcessEnv): Promise<string> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      algorithm: { type: 'string', default: KEY_ALGORITHMS[0] },
      renew: { type: 'boolean', default: false },
      directory: { type: 'string' },
      config: { type: 'string', default: 'hotpotato.yml' },
      client: { type: 'boolean', default: false },
      localhost: { type: 'boolean' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return USAGE
  if (values.client && positionals.length === 0) throw new Error('--client needs the NAMEs of clients')
  // With names given, a configuration is welcome but not needed.
  const needed = positionals.length === 0 || existsSync(values.config)
  const config = needed ? loadConfig(values.config, variables).config : undefined
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
    throw new RangeError(`--algorithm must be one of ${KEY_ALGORITHMS.join(', ')}, not ${name}`)
  return found
}

/** Whether it is the user who can put this right, so that a message is enough. */
function isExpected(error: unknown): error is Error {
  const known = [CertificateError, ConfigError, RangeError].some(kind => error instanceof kind)
  return (
    known ||
    (error instanceof Error && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS'))
  )
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  guardOutput()
  try {
    process.stdout.write(await run(process.argv.slice(2), process.env))
  } catch (error) {
    if (!isExpected(error)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
