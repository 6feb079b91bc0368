import { randomInt } from 'node:crypto'
import { rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import type { Proof, Responder } from '../../acme/issue.ts'
import { Renewer } from '../../acme/renewer.ts'
import { AcmeStore } from '../../acme/store.ts'
import { TlsAlpnServer } from '../../acme/tls-alpn.ts'
import type { AcmeSettings, WantedCertificate } from '../../platform/acme-settings.ts'
import { boundOutput } from '../../platform/own-output.ts'
import { shortPath } from '../../platform/seat/socket-path.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { node } from '../../tls13/crypto/node.ts'
import type { Proofs } from '../../transfer/control.ts'
import { alone } from './alone.ts'
import { serverOf, wishesOf } from './wishes.ts'

/*
 * The process that asks authorities for certificates while a platform runs. It has the key of the account and
 * those of new certificates; it has no port: what an authority reads at a host is shown by the gateway. It
 * hears orders on standard input, and tells what it does on descriptor 3, in lines of JSON.
 */

/** What it is told first. */
export interface RenewerSettings {
  readonly acme: AcmeSettings
  readonly certificates: readonly WantedCertificate[]
  /** SHA-256 of those that functions have taken, by name. */
  readonly taken: Readonly<Record<string, string>>
  /** Of certificates. */
  readonly directory: string
  readonly runDirectory: string
  readonly logLevel: string
}

/** What the supervisor's process says to it, one line each. */
export type RenewerOrder =
  | { readonly kind: 'start'; readonly settings: RenewerSettings }
  /** Renew these at once; without names: all. */
  | { readonly kind: 'renew'; readonly names?: readonly string[] }
  /** The gateways show what the report of that number said. */
  | { readonly kind: 'shown'; readonly number: number }

/** What it says, one line each. */
export type RenewerReport =
  | { readonly kind: 'proofs'; readonly number: number; readonly proofs: Proofs }
  | { readonly kind: 'installed'; readonly name: string; readonly fingerprint: string }
  | { readonly kind: 'failed'; readonly name: string; readonly message: string }

/** The descriptor of its reports. */
export const REPORTS = 3

/** Milliseconds for the gateways to show something. */
const PATIENCE = 10_000
const RESPONDER = 'acme.sock'

const reports = new Socket({ fd: REPORTS, readable: false, writable: true })
reports.on('error', () => process.exit(1))

function tell(report: RenewerReport): void {
  reports.write(`${JSON.stringify(report)}\n`)
}

/** What an authority looks for is shown by the gateways; a handshake they pass on to us. */
class ByGateways implements Responder {
  readonly #tls: TlsAlpnServer
  readonly #path: string
  readonly #shown = new Map<string, Proof>()
  readonly #waiting = new Map<number, () => void>()
  #number = 0

  constructor(tls: TlsAlpnServer, path: string) {
    this.#tls = tls
    this.#path = path
  }

  async show(proof: Proof): Promise<void> {
    if (proof.type === 'tls-alpn-01') await this.#tls.show(proof)
    this.#shown.set(proof.token, proof)
    await this.#tell()
  }

  async withdraw(proof: Proof): Promise<void> {
    this.#shown.delete(proof.token)
    if (proof.type === 'tls-alpn-01') await this.#tls.withdraw(proof)
    await this.#tell()
  }

  heard(number: number): void {
    this.#waiting.get(number)?.()
    this.#waiting.delete(number)
  }

  #tell(): Promise<void> {
    const number = ++this.#number
    const all = [...this.#shown.values()]
    const pages = all
      .filter(({ type }) => type === 'http-01')
      .map(({ token, keyAuthorization }) => ({ token, content: keyAuthorization }))
    const responder = all.some(({ type }) => type === 'tls-alpn-01') ? this.#path : ''
    tell({ kind: 'proofs', number, proofs: { pages, responder } })
    return new Promise(resolve => {
      const timer = SYSTEM_CLOCK.after(PATIENCE, resolve)
      this.#waiting.set(number, () => {
        timer.stop()
        resolve()
      })
    })
  }
}

async function start(settings: RenewerSettings): Promise<readonly [Renewer, ByGateways]> {
  const { acme, certificates, taken, directory, runDirectory, logLevel } = settings
  const log = pino({ name: 'acme', level: logLevel })
  boundOutput(count => log.warn({ count }, 'lines were dropped'))
  const path = join(runDirectory, RESPONDER)
  const short = shortPath(path)
  rmSync(short.path, { force: true })
  const tls = await TlsAlpnServer.listen(node, SYSTEM_CLOCK, { path: short.path })
  const responder = new ByGateways(tls, path)
  const store = new AcmeStore(directory).open()
  const renewer = new Renewer({
    certificates,
    taken,
    server: serverOf(acme),
    store,
    wishes: wishesOf(acme),
    responder,
    clock: SYSTEM_CLOCK,
    chance: () => randomInt(2 ** 32) / 2 ** 32,
    alone: work => alone(store.directory, work),
    news: {
      installed: (name, fingerprint) => {
        log.info({ certificate: name }, 'another certificate is in its place')
        tell({ kind: 'installed', name, fingerprint })
      },
      failed: (name, message) => {
        log.error({ certificate: name }, message)
        tell({ kind: 'failed', name, message })
      },
      said: (name, what) => log.info({ certificate: name }, what),
    },
  })
  renewer.start()
  return [renewer, responder]
}

function main(): void {
  let started: ReturnType<typeof start> | undefined
  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => {
    const order = JSON.parse(line) as RenewerOrder
    if (order.kind === 'start') started = start(order.settings)
    else
      void started?.then(([renewer, responder]) => {
        if (order.kind === 'renew') renewer.force(order.names)
        else responder.heard(order.number)
      })
  })
  // The supervisor has ended, or wants this to end; what is kept is enough to go on from.
  lines.on('close', () => process.exit(0))
}

main()
