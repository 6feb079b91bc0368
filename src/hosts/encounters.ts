import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'
import { tcp } from '../transport/kinds/tcp.ts'
import { type SecureTransport, secure, secureClient } from '../transport/secure.ts'
import type { Transport } from '../transport/transport.ts'
import { reasonOf } from '../wire/thrown.ts'
import { digestOf, type Identity } from './identity.ts'
import { Meeting, type MeetingOwner } from './meeting.ts'
import type { HostEntry, Registry } from './registry.ts'

/** Milliseconds that a connection to another host, or its handshake, may take. */
const PATIENCE = 5000
/** Connections at a time that have not shown who they are. */
const STRANGERS = 64
/** Milliseconds in which one of those that failed is told of. */
const TELLING = 1000

export interface EncountersOptions {
  readonly clock: Clock
  readonly log: Log
  readonly identity: Identity
  /** Of this host. */
  readonly hostName: string
  /** Milliseconds of silence after which a host is given up. */
  readonly silence: number
  readonly registry: () => Pick<Registry, 'hostOf'> | undefined
  readonly owner: MeetingOwner
}

/** How this host and the others come together: over one connection of our TLS each, in which both show who
 * they are. */
export class Encounters {
  readonly #options: EncountersOptions
  /** By host. */
  readonly #meetings = new Map<string, Meeting>()
  /** Hosts that are being connected to. */
  readonly #dialling = new Set<string>()
  /** By certificate, those that are met. */
  readonly #shown = new WeakMap<Meeting, string>()
  /** Those that have connected and have not shown who they are; the oldest first. */
  readonly #strangers = new Set<AbortController>()
  /** Those that have failed since that was told last, and when it was. */
  readonly #failed = { count: 0, told: Number.NEGATIVE_INFINITY }

  constructor(options: EncountersOptions) {
    this.#options = options
  }

  /** Those in which the other host has said hello. */
  get met(): readonly Meeting[] {
    return [...this.#meetings.values()].filter(({ isMet }) => isMet)
  }

  /** The hosts that there are. Of two, the one whose name comes first connects. */
  meet(hosts: ReadonlyMap<string, HostEntry>): void {
    for (const [name, entry] of hosts) {
      // Another platform or another link has that name now.
      const meeting = this.#meetings.get(name)
      if (meeting !== undefined && this.#shown.get(meeting) !== entry.digest)
        meeting.end('the directory does not vouch for it any more')
      if (this.#options.hostName > name || this.#meetings.has(name) || this.#dialling.has(name)) continue
      this.#dialling.add(name)
      void this.#dial(name, entry).finally(() => this.#dialling.delete(name))
    }
  }

  /** Another host has connected. */
  accept(transport: Transport): void {
    const { identity, clock, log } = this.#options
    const stranger = new AbortController()
    // Not the newest: that one may be a host, which takes no time.
    const [oldest] = this.#strangers
    if (this.#strangers.size >= STRANGERS) oldest?.abort(new Error('too many connect that say nothing'))
    this.#strangers.add(stranger)
    const { signal } = stranger
    secure(transport, identity.server, { patienceMs: PATIENCE, clock, signal })
      .then(
        secured => this.#begin(secured, false),
        (error: unknown) => this.#tellFailed(reasonOf(error)),
      )
      .catch((error: unknown) => log.error({ err: error }, 'a host could not be met'))
      .finally(() => this.#strangers.delete(stranger))
  }

  /** However many connect, a line a second says it. */
  #tellFailed(reason: string): void {
    const failed = this.#failed
    const now = this.#options.clock.steady()
    failed.count++
    if (now - failed.told < TELLING) return
    this.#options.log.warn({ reason, since: failed.count }, 'a connection to the link failed')
    failed.count = 0
    failed.told = now
  }

  /** It is over. */
  lost(meeting: Meeting): void {
    if (this.#meetings.get(meeting.host) === meeting) this.#meetings.delete(meeting.host)
  }

  /** Leaves all hosts. */
  end(reason: string): void {
    for (const meeting of [...this.#meetings.values()]) meeting.end(reason)
  }

  async #dial(name: string, { address: host, port }: HostEntry): Promise<void> {
    const { log, identity, clock } = this.#options
    const over = new AbortController()
    const timer = clock.after(PATIENCE, () => over.abort(new Error('it does not answer')))
    try {
      const target = { scheme: 'hotpotato', host, port }
      const { transport } = await tcp.connect(target, { signal: over.signal, clock }, {})
      const options = { signal: over.signal, patienceMs: PATIENCE, clock }
      this.#begin(await secureClient(transport, identity.client, options), true, name)
    } catch (error) {
      log.warn({ host: name, reason: reasonOf(error) }, 'a host cannot be reached')
    } finally {
      timer.stop()
    }
  }

  /** @param name that it has to be; undefined: as its certificate says */
  #begin(transport: SecureTransport, dialled: boolean, name?: string): void {
    const { registry, silence, owner } = this.#options
    const { peerCertificate } = transport.session
    const digest = peerCertificate && digestOf(peerCertificate)
    const host = digest && registry()?.hostOf(digest)
    if (host === undefined || (name !== undefined && name !== host)) {
      transport.destroy()
      return
    }
    // It has begun anew, and we have not noticed yet.
    this.#meetings.get(host)?.end('it has connected again')
    const meeting = new Meeting(host, transport, dialled, silence, owner)
    this.#meetings.set(host, meeting)
    this.#shown.set(meeting, digest!)
  }
}
