import { randomInt } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Account } from '../../acme/account.ts'
import { attemptOf } from '../../acme/attempts.ts'
import { AcmeError } from '../../acme/error.ts'
import { Http01Server } from '../../acme/http01.ts'
import type { Responder } from '../../acme/issue.ts'
import { obtain } from '../../acme/obtain.ts'
import { mayTryAgain } from '../../acme/renewal.ts'
import { byOwnKey, type Reason, revoke } from '../../acme/revoke.ts'
import { AcmeStore } from '../../acme/store.ts'
import { TlsAlpnServer } from '../../acme/tls-alpn.ts'
import { isCertificateName } from '../../certificates/authority.ts'
import { CertificateError } from '../../certificates/load.ts'
import type { AcmeSettings, WantedCertificate } from '../../platform/acme-settings.ts'
import { shortPath } from '../../platform/seat/socket-path.ts'
import { acmeCertificates } from '../../stack/acme.ts'
import type { Config } from '../../stack/config.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { node } from '../../tls13/crypto/node.ts'
import { wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { type Command, sendCommand } from '../platform/control-socket.ts'
import { commandResponder, controlSocket } from '../platform/run-directory.ts'
import { say } from '../terminal/output.ts'
import { alone } from './alone.ts'
import { certificateStatus, statusTable } from './status.ts'
import { type CertOptions, serverOf, settingsOf, wantedOf, wishesOf } from './wishes.ts'

/** A certificate, and how it is asked for. */
interface Asked extends WantedCertificate {
  readonly settings: AcmeSettings
  /** However many came lately. */
  readonly byHand: boolean
}

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
    else if (action === 'renew') await renew(config, name, options)
    else if (action === 'revoke') await revokeOne(config, name, options)
    else await changeAccount(config, action === 'rollover', options)
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
  const wanted = wantedOf(name, options.domain, config)
  await work(config, [{ ...wanted, settings: settingsOf(options, config), byHand: true }], options)
}

async function renew(config: Config, name: string | undefined, options: CertOptions): Promise<void> {
  const store = new AcmeStore(config.certificates)
  const now = SYSTEM_CLOCK.wall()
  const planned = acmeCertificates(config)
  const all = [...new Set([...store.names(), ...planned.map(one => one.name)])]
  const named = (name === undefined ? all : [name]).map((one): Asked => {
    const own = planned.find(other => other.name === one)
    const record = store.record(one)
    const names = own?.names ?? record?.names
    if (names === undefined)
      throw new CommandError(`no certificate ${one} has been asked for; hotpotato cert issue asks for one`)
    // Of what the stack file does not name it says nothing else either.
    const settings = settingsOf(options, config, own === undefined ? record : undefined)
    return { name: one, names, settings, byHand: options.force }
  })
  const due = named.filter(one => {
    const waits = options.force ? undefined : waitOf(store, one, now)
    if (waits !== undefined) say(`${one.name} ${waits}, and is left alone; --force asks for it now`)
    return waits === undefined
  })
  if (due.length > 0) await work(config, due, options)
}

/** Why it is not time yet to ask for a certificate; undefined: it is. */
function waitOf(store: AcmeStore, { name, names, settings }: Asked, now: number): string | undefined {
  const record = store.record(name)
  const attempt = attemptOf(record?.attempts, { directory: settings.directory, names })
  if (!mayTryAgain(attempt?.tryAt, attempt?.error?.at, now))
    return `has failed (${attempt!.error!.message}), is tried again on ${iso(attempt!.tryAt!)}`
  if (attempt?.tryAt !== undefined || !store.isOurs(name)) return undefined
  const renewAt = record?.renewAt
  return renewAt === undefined || renewAt <= now ? undefined : `is renewed on ${iso(renewAt)}`
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

/** Has the authority take a certificate back. The files stay: the platform goes on with what it has. */
async function revokeOne(config: Config, name: string | undefined, options: CertOptions): Promise<void> {
  const store = new AcmeStore(config.certificates)
  const [text, record] = name === undefined ? [] : [store.certificate(name), store.record(name)]
  if (name === undefined || text === undefined || record === undefined || !store.isOurs(name))
    throw new CommandError(
      `no certificate ${name ?? ''} of an authority is there; hotpotato cert status tells which`,
    )
  const { directory } = record
  // Another authority knows neither the certificate nor the account.
  const settings = { ...settingsOf(options, config, record), directory }
  const server = serverOf(settings)
  await onlyOne(store, async () => {
    const signing = options['by-key']
      ? await byOwnKey(readFileSync(join(config.certificates, `${name}.key`), 'utf8'))
      : (await Account.open(server, store.account(directory), wishesOf(settings))).signing
    await revoke(server, text, (options.reason as Reason | undefined) ?? 'unspecified', signing)
  })
  say(`${name} is revoked; hotpotato cert renew ${name} --force gets another one`)
}

/** @throws CommandError another process works there */
async function onlyOne(store: AcmeStore, work: () => Promise<void>): Promise<void> {
  if (!(await alone(store.open().directory, work)))
    throw new CommandError('another process of hotpotato is asking for certificates now')
}

/** Gives the account another key, or ends it. */
async function changeAccount(config: Config, rollover: boolean, options: CertOptions): Promise<void> {
  const store = new AcmeStore(config.certificates)
  const settings = settingsOf(options, config)
  const shelf = store.account(settings.directory)
  if (shelf.load() === undefined) throw new CommandError(`there is no account with ${settings.directory}`)
  await onlyOne(store, async () => {
    const account = await Account.open(serverOf(settings), shelf, wishesOf(settings))
    if (rollover) await account.rollOver()
    else await account.deactivate()
  })
  say(rollover ? 'the account has another key' : 'the account is no more; its certificates stay good')
}

/**
 * Has the platform that runs ask for its own certificates.
 * @returns those that are not its affair, or all if none runs
 */
async function byPlatform(config: Config, certificates: readonly Asked[]): Promise<readonly Asked[]> {
  const own = acmeCertificates(config)
  const left: Asked[] = []
  for (const one of certificates) {
    const planned = own.find(({ name }) => name === one.name)
    const same =
      planned !== undefined &&
      planned.names.join() === one.names.join() &&
      one.settings.directory === config.tls.acme?.directory
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

/** The gateway of the platform that runs passes handshakes for proofs on to this process. */
async function byGatewaysHandshakes(config: Config): Promise<Responder & { close(): void }> {
  const short = shortPath(commandResponder(config.runDirectory))
  rmSync(short.path, { force: true })
  const server = await TlsAlpnServer.listen(node, SYSTEM_CLOCK, { path: short.path })
  const shown = new Set<string>()
  return {
    async show(proof) {
      await server.show(proof)
      shown.add(proof.token)
      await ordered(config, 'respond on')
    },
    async withdraw(proof) {
      shown.delete(proof.token)
      if (shown.size === 0) await ordered(config, 'respond off')
      await server.withdraw(proof)
    },
    close() {
      server.close()
      short.close()
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
  if (runs) return byTls ? byGatewaysHandshakes(config) : byGateway(config)
  const port = given === undefined ? (byTls ? 443 : 80) : wholeNumber('port', given, 1, 65_535)
  return byTls ? TlsAlpnServer.listen(node, SYSTEM_CLOCK, { port }) : Http01Server.listen(undefined, port)
}

/** Asks for certificates, one after the other. */
async function work(config: Config, certificates: readonly Asked[], options: CertOptions): Promise<void> {
  const left = await byPlatform(config, certificates)
  if (left.length === 0) return
  const store = new AcmeStore(config.certificates)
  for (const one of left) {
    const { name, settings, byHand } = one
    await onlyOne(store, async () => {
      const responder = await responderOf(config, settings, options.port)
      try {
        const kept = await obtain(one, {
          server: serverOf(settings),
          store,
          wishes: wishesOf(settings),
          responder,
          clock: SYSTEM_CLOCK,
          chance: () => randomInt(2 ** 32) / 2 ** 32,
          report: what => say(`${name}: ${what}`),
          byHand,
        })
        if (kept.length > 0) say(`what was there before is kept as ${kept.join(', ')}`)
      } finally {
        responder.close?.()
      }
    })
    say(told(store, one))
  }
  if (await ordered(config, 'reload')) say('the platform that runs has taken it')
}

function told(store: AcmeStore, { name, names }: WantedCertificate): string {
  return `${name}: ${names.join(', ')} until ${iso(store.record(name)!.notAfter!)}`
}
