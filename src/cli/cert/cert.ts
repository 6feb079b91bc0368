import { randomInt } from 'node:crypto'
import { AcmeError } from '../../acme/error.ts'
import { Http01Server } from '../../acme/http01.ts'
import type { Responder } from '../../acme/issue.ts'
import { type ObtainOptions, obtain } from '../../acme/obtain.ts'
import { AcmeStore } from '../../acme/store.ts'
import { TlsAlpnServer } from '../../acme/tls-alpn.ts'
import { isCertificateName } from '../../certificates/authority.ts'
import { CertificateError } from '../../certificates/load.ts'
import type { AcmeSettings, WantedCertificate } from '../../platform/acme-settings.ts'
import { acmeCertificates } from '../../stack/acme.ts'
import type { Config } from '../../stack/config.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { node } from '../../tls13/crypto/node.ts'
import { wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { type Command, sendCommand } from '../platform/control-socket.ts'
import { controlSocket } from '../platform/run-directory.ts'
import { say } from '../terminal/output.ts'
import { alone } from './alone.ts'
import { certificateStatus, statusTable } from './status.ts'
import { type CertOptions, serverOf, settingsOf, wantedOf, wishesOf } from './wishes.ts'

/** @param action `issue`, `renew` or `status` @throws UsageError @throws CommandError */
export async function cert(action: string, name: string | undefined, options: CertOptions): Promise<void> {
  const { config } = readConfiguration(options.config, process.env)
  if (name !== undefined && !isCertificateName(name))
    throw new UsageError(
      `${JSON.stringify(name)} is not a certificate name: 1 to 63 of a-z, 0-9 and -, not ca`,
    )
  try {
    if (action === 'status') status(config, name, options)
    else if (action === 'issue') await issue(config, name, options)
    else await renew(config, name, options)
  } catch (error) {
    if (error instanceof AcmeError || error instanceof CertificateError) throw new CommandError(error.message)
    throw error
  }
}

function status(config: Config, name: string | undefined, { json }: CertOptions): void {
  const store = new AcmeStore(config.certificates)
  const all = store.names()
  if (name !== undefined && !all.includes(name))
    throw new CommandError(`no certificate ${name} has been asked for; hotpotato cert issue asks for one`)
  const found = (name === undefined ? all : [name]).map(one => certificateStatus(store, one))
  if (json) say(JSON.stringify(found))
  else if (found.length === 0) say('no certificate has been asked for; hotpotato cert issue asks for one')
  else say(statusTable(found, SYSTEM_CLOCK.wall()))
}

async function issue(config: Config, name: string | undefined, options: CertOptions): Promise<void> {
  if (name === undefined)
    throw new UsageError('cert issue needs a NAME: that of a function, or of its certificate')
  await work(config, [wantedOf(name, options.domain, config)], options)
}

async function renew(config: Config, name: string | undefined, options: CertOptions): Promise<void> {
  const store = new AcmeStore(config.certificates)
  const now = SYSTEM_CLOCK.wall()
  const planned = acmeCertificates(config)
  const all = [...new Set([...store.names(), ...planned.map(one => one.name)])]
  const named = (name === undefined ? all : [name]).map((one): WantedCertificate => {
    const names = planned.find(other => other.name === one)?.names ?? store.record(one)?.names
    if (names === undefined)
      throw new CommandError(`no certificate ${one} has been asked for; hotpotato cert issue asks for one`)
    return { name: one, names }
  })
  const due = named.filter(one => {
    const renewAt = store.isOurs(one.name) ? store.record(one.name)?.renewAt : undefined
    return options.force || renewAt === undefined || renewAt <= now
  })
  for (const { name: one } of named.filter(other => !due.includes(other))) {
    const at = store.record(one)!.renewAt!
    say(`${one} is renewed on ${new Date(at).toISOString()}, and is left alone; --force renews it now`)
  }
  if (due.length > 0) await work(config, due, options)
}

/**
 * Has the platform that runs ask for its own certificates.
 * @returns those that are not its affair, or all if none runs
 */
async function byPlatform(
  config: Config,
  certificates: readonly WantedCertificate[],
): Promise<readonly WantedCertificate[]> {
  const own = acmeCertificates(config)
  const left: WantedCertificate[] = []
  for (const one of certificates) {
    const planned = own.find(({ name }) => name === one.name)
    const same = planned !== undefined && planned.names.join() === one.names.join()
    if (!same || !(await ordered(config, `renew ${one.name}`))) left.push(one)
    else say(told(new AcmeStore(config.certificates), one))
  }
  return left
}

/** @returns false if no platform runs @throws CommandError it refuses */
async function ordered(config: Config, command: Command): Promise<boolean> {
  const answer = await sendCommand(controlSocket(config.runDirectory), command)
  if (typeof answer === 'object' && answer !== null && 'error' in answer)
    throw new CommandError(String(answer.error))
  return answer !== undefined
}

/** The gateway of the platform that runs shows what an authority looks for. */
function byGateway(config: Config): Responder {
  return {
    async show({ token, keyAuthorization }) {
      await ordered(config, `show ${token} ${keyAuthorization}`)
    },
    async withdraw({ token }) {
      await ordered(config, `withdraw ${token}`)
    },
  }
}

/** What shows it: the platform if one runs, or else a server on that port, until it is closed. */
async function responderOf(
  config: Config,
  { challenge }: AcmeSettings,
  given: string | undefined,
): Promise<Responder & { close?(): void }> {
  const byTls = challenge === 'tls-alpn-01'
  const runs = (await sendCommand(controlSocket(config.runDirectory), 'status')) !== undefined
  if (runs && byTls)
    throw new CommandError('the platform that runs answers tls-alpn-01 for tls.acme of its stack file alone')
  if (runs) return byGateway(config)
  const port = given === undefined ? (byTls ? 443 : 80) : wholeNumber('port', given, 1, 65_535)
  return byTls ? TlsAlpnServer.listen(node, SYSTEM_CLOCK, { port }) : Http01Server.listen(undefined, port)
}

/** Asks for certificates, one after the other. */
async function work(
  config: Config,
  certificates: readonly WantedCertificate[],
  options: CertOptions,
): Promise<void> {
  const settings = settingsOf(options, config)
  const left = await byPlatform(config, certificates)
  if (left.length === 0) return
  const store = new AcmeStore(config.certificates).open()
  const responder = await responderOf(config, settings, options.port)
  const common: Omit<ObtainOptions, 'report'> = {
    server: serverOf(settings),
    store,
    wishes: wishesOf(settings),
    responder,
    clock: SYSTEM_CLOCK,
    chance: () => randomInt(2 ** 32) / 2 ** 32,
  }
  try {
    for (const one of left) {
      const report = (what: string): void => say(`${one.name}: ${what}`)
      const did = await alone(store.directory, async () => {
        const kept = await obtain(one, { ...common, report })
        if (kept.length > 0) say(`what was there before is kept as ${kept.join(', ')}`)
      })
      if (!did) throw new CommandError('another process of hotpotato is asking for certificates now')
      say(told(store, one))
    }
  } finally {
    responder.close?.()
  }
  if (await ordered(config, 'reload')) say('the platform that runs has taken it')
}

function told(store: AcmeStore, { name, names }: WantedCertificate): string {
  return `${name}: ${names.join(', ')} until ${new Date(store.record(name)!.notAfter!).toISOString()}`
}
