import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkCertificates, MAKE } from '../../certificates/check.ts'
import { readChain } from '../../certificates/load.ts'
import { acmeCertificates } from '../../stack/acme.ts'
import { certificateNames } from '../../stack/certificate-names.ts'
import type { Config } from '../../stack/config.ts'
import { USUAL_UIDS } from '../../stack/uids.ts'
import { chooseChannel } from '../../transfer/channel.ts'
import { type CertificateStatus, certificatesIn, failureOf } from '../cert/status.ts'
import { STATUS } from '../line/usage-error.ts'
import { type FoundConfig, readConfiguration } from '../platform/configuration.ts'
import { sendCommand } from '../platform/control-socket.ts'
import { controlSocket } from '../platform/run-directory.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { say } from '../terminal/output.ts'
import { type Finding, fault, note, ok } from './finding.ts'
import { checkGroups, checkLevels } from './isolation.ts'
import { checkMachine, checkPackages, checkPrograms } from './machine.ts'
import { checkPorts } from './ports.ts'

const DAY = 86_400_000
/** Days before its end in which a certificate is worth a word. */
const SOON = 14

/**
 * Looks at all that hotpotato stands on, and says what is there and what is not. The status is 1 if there is
 * a fault: then `up` would not start.
 */
export async function doctor({ config, json }: { config: string | undefined; json: boolean }): Promise<void> {
  const findings = [
    ...(await checkPlatform(config)),
    ...checkMachine(),
    checkGroups(),
    ...checkLevels(...isolationOf(config)),
    ...checkPrograms(),
    ...checkPackages(),
  ]
  const faults = findings.filter(({ state }) => state === 'fault').length
  say(json ? JSON.stringify({ ok: faults === 0, findings }) : findingsText(findings))
  if (faults > 0) process.exitCode = STATUS.failed
}

/** What levels of isolation are asked about, and which of them functions want. */
function isolationOf(file: string | undefined): Parameters<typeof checkLevels> {
  const native = chooseChannel().kind === 'native'
  try {
    const { isolationUids, functions } = readConfiguration(file, process.env).config
    const wanted = new Set([...functions.values()].map(({ isolation }) => isolation))
    return [{ uids: isolationUids, native }, wanted]
  } catch {
    return [{ uids: USUAL_UIDS, native }, new Set()]
  }
}

async function checkPlatform(file: string | undefined): Promise<Finding[]> {
  let found: FoundConfig
  try {
    found = readConfiguration(file, process.env)
  } catch (error) {
    return [fault('stack file', (error as Error).message)]
  }
  const { config, warnings, shipped } = found
  const functions = [...config.functions.keys()].join(', ')
  const status = (await sendCommand(controlSocket(config.runDirectory), 'status').catch(() => undefined)) as
    | PlatformStatus
    | undefined
  const { host, http, https } = config.gateway
  const wanted = [
    { name: 'http', port: http, variable: 'HOTPOTATO_HTTP_PORT' },
    { name: 'https', port: https, variable: 'HOTPOTATO_HTTPS_PORT' },
  ] as const
  return [
    ok(
      'stack file',
      `${shipped ? 'none here: that of the package' : 'can be read'}; functions: ${functions}`,
    ),
    ...warnings.map(text => note('stack file', text, 'what it says means nothing')),
    ok('platform', status === undefined ? 'does not run' : `runs, process ${status.pid}`),
    checkRunDirectory(config.runDirectory),
    ...(await checkPorts(host, wanted, status?.ports)),
    ...checkCertificateFiles(config),
  ]
}

/** Whether this user may write where that is to lie, or may make the folders that are missing there. */
function canBeMade(path: string): boolean {
  let folder = dirname(path)
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return statSync(folder).isDirectory()
  } catch {
    return false
  }
}

function checkRunDirectory(directory: string): Finding {
  const what = 'run directory'
  const advice = 'choose another HOTPOTATO_RUN_DIR'
  const found = existsSync(directory) ? statSync(directory) : undefined
  if (found === undefined)
    return canBeMade(directory)
      ? ok(what, `${directory} will be made`)
      : fault(what, `${directory} cannot be made`, advice)
  if (!found.isDirectory()) return fault(what, `${directory} is not a directory`, advice)
  if ((found.mode & 0o077) !== 0 || found.uid !== process.geteuid?.())
    return fault(what, `${directory} is open to other users`, `chmod 700 it, or ${advice}`)
  return ok(what, directory)
}

function checkCertificateFiles(config: Config): Finding[] {
  const now = Date.now()
  const acme = acmeCertificates(config).map(one => one.name)
  const found = certificatesIn(config.certificates).filter(one => acme.includes(one.name))
  const there = found.filter(one => one.notAfter !== undefined).map(one => one.name)
  // Those of an authority are good enough until it has been asked for others.
  const names = certificateNames(config).filter(({ name }) => !there.includes(name))
  return [...found.map(one => ofAuthority(one, now)), ...checkOwnFiles(config, names, now)]
}

/** A certificate that an authority of the web was asked for. */
function ofAuthority(one: CertificateStatus, now: number): Finding {
  const what = 'certificates'
  const { name, notAfter, renewAt, directory } = one
  const days = notAfter === undefined ? undefined : Math.floor((notAfter - now) / DAY)
  const good = days === undefined ? `${name} is not issued yet` : `${name} is good for ${days} days`
  const renewal = renewAt === undefined ? '' : `, renewed on ${new Date(renewAt).toISOString().slice(0, 10)}`
  const failure = failureOf(one)
  const text = `${good}${renewal}, by ${new URL(directory).host}`
  if (failure === undefined) return ok(what, text)
  return note(what, text, 'clients refuse it when it has expired', failure)
}

function checkOwnFiles(config: Config, names: ReturnType<typeof certificateNames>, now: number): Finding[] {
  const what = 'certificates'
  const problems = checkCertificates(config.certificates, names, now)
  const broken = problems.filter(({ command }) => command !== MAKE)
  if (broken.length > 0) return broken.map(({ message }) => fault(what, message))
  if (problems.length > 0)
    return [
      canBeMade(join(config.certificates, 'ca.crt'))
        ? ok(what, `up makes ${problems.length} that are missing, or are of no use now`)
        : fault(what, `${config.certificates} cannot be written`, 'choose another HOTPOTATO_CERTS_DIR'),
    ]
  return names.map(({ name }) => {
    const [leaf] = readChain(join(config.certificates, `${name}.crt`))
    const days = Math.floor((Date.parse(leaf!.validTo) - now) / DAY)
    const found = `${name} is good for ${days} days`
    if (days > SOON) return ok(what, found)
    return note(what, found, 'clients refuse it then', `hotpotato certs --renew ${name}`)
  })
}

/** What was found, in columns; what is missing with what it means and what to do. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length))
  const indent = ' '.repeat(width + 9)
  const lines = findings.map(({ what, state, found, without, advice }) => {
    const more = [
      ...(without === undefined ? [] : [`without it: ${without}`]),
      ...(advice === undefined ? [] : [advice]),
    ]
    return [`${state.padEnd(5)}  ${what.padEnd(width)}  ${found}`, ...more.map(text => indent + text)].join(
      '\n',
    )
  })
  const count = (state: Finding['state']): number => findings.filter(one => one.state === state).length
  const faults = count('fault')
  const last =
    faults > 0
      ? `hotpotato up does not start like this: ${faults} ${faults === 1 ? 'fault' : 'faults'}`
      : `hotpotato up starts here${count('note') > 0 ? '; what is noted is for those who want it' : ''}`
  return `${lines.join('\n')}\n\n${last}`
}
