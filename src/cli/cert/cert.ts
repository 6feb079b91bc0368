import { randomInt } from 'node:crypto'
import { AcmeError } from '../../acme/error.ts'
import { Http01Server } from '../../acme/http01.ts'
import { type ObtainOptions, obtain } from '../../acme/obtain.ts'
import { AcmeStore } from '../../acme/store.ts'
import { isCertificateName } from '../../certificates/authority.ts'
import { CertificateError } from '../../certificates/load.ts'
import type { WantedCertificate } from '../../platform/acme-settings.ts'
import { acmeCertificates } from '../../stack/acme.ts'
import type { Config } from '../../stack/config.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { say } from '../terminal/output.ts'
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
  const named = (name === undefined ? store.names() : [name]).map((one): WantedCertificate => {
    const record = store.record(one)
    if (record === undefined)
      throw new CommandError(`no certificate ${one} has been asked for; hotpotato cert issue asks for one`)
    const planned = acmeCertificates(config).find(other => other.name === one)
    return planned ?? { name: one, names: record.names }
  })
  const due = named.filter(one => {
    const { renewAt, fingerprint } = store.record(one.name)!
    return options.force || fingerprint === undefined || (renewAt ?? 0) <= now
  })
  for (const { name: one } of named.filter(other => !due.includes(other))) {
    const at = store.record(one)!.renewAt!
    say(`${one} is renewed on ${new Date(at).toISOString()}, and is left alone; --force renews it now`)
  }
  if (due.length > 0) await work(config, due, options)
}

/** Asks for certificates, one after the other. */
async function work(
  config: Config,
  certificates: readonly WantedCertificate[],
  options: CertOptions,
): Promise<void> {
  const store = new AcmeStore(config.certificates).open()
  const settings = settingsOf(options, config)
  const port = options.port === undefined ? 80 : wholeNumber('port', options.port, 1, 65_535)
  const responder = await Http01Server.listen(undefined, port)
  const common: Omit<ObtainOptions, 'report'> = {
    server: serverOf(settings),
    store,
    wishes: wishesOf(settings),
    responder,
    clock: SYSTEM_CLOCK,
    chance: () => randomInt(2 ** 32) / 2 ** 32,
  }
  try {
    for (const one of certificates) {
      const kept = await obtain(one, { ...common, report: what => say(`${one.name}: ${what}`) })
      if (kept.length > 0) say(`what was there before is kept as ${kept.join(', ')}`)
      say(`${one.name}: ${one.names.join(', ')} until ${until(store, one.name)}`)
    }
  } finally {
    responder.close()
  }
}

function until(store: AcmeStore, name: string): string {
  return new Date(store.record(name)!.notAfter!).toISOString()
}
