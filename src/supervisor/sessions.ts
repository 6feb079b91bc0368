import type { ConnectionDescription, MoveOutcome, Peer } from '../transfer/control.ts'
import { MemoryDirectory, type Ownership, type SessionDirectory } from '../transfer/directory.ts'
import { EMPTY, hex } from '../wire/index.ts'
import type { Replica } from './replica.ts'

/** One connection, as `status --connections` shows it. */
export interface ConnectionStatus {
  /** The session id in hexadecimal. */
  readonly id: string
  readonly generation: number
  readonly container: string
  readonly functionName: string
  readonly state: ConnectionDescription['phase']
  readonly protocol: string
  /** Undefined without TLS, and until one has been chosen. */
  readonly cipherSuite: string | undefined
  readonly tls: boolean
  /** Undefined if the client gave none. */
  readonly serverName: string | undefined
  readonly requests: number
  /** Moves between containers so far. */
  readonly hops: number
  /** Milliseconds since it came to this container. */
  readonly age: number
  /** What cannot leave that container as it is, by its name; undefined: nothing of that kind. */
  readonly stays: string | undefined
}

/** What became of an order to move a connection. */
export interface MoveReport {
  readonly outcome: MoveOutcome
  readonly generation: number
  readonly detail: string
}

/** The same of one that is told of, where the platform teaches. Secrets are in it. */
export interface Revelation extends MoveReport {
  /** The container does not teach: nothing is told, and nothing has moved. */
  readonly refused: boolean
  /** A `SessionState`, encoded; undefined: it has none, or is not told. */
  readonly state: Uint8Array | undefined
  /** The envelope that travelled, encoded. */
  readonly envelope: Uint8Array | undefined
}

/** A connection that has moved. */
export interface Moved {
  readonly connection: string
  readonly from: string
  readonly to: string
  readonly generation: number
  /** What it was and what travelled, if that was asked for. */
  readonly dump?: MoveDump
}

/** What is told of a move where the platform teaches, encoded, in hexadecimal. Secrets are in it. */
export interface MoveDump {
  /** The session's state in the container that had it, when the order came there; missing: it has no TLS. */
  readonly before?: string
  /** The envelope that travelled. */
  readonly envelope: string
  /** The state in the container that has it now; missing: it has gone on meanwhile. */
  readonly after?: string
}

/** A session where it is now. */
export interface RevealedState {
  readonly connection: string
  readonly container: string
  /** As in {@link MoveDump}. */
  readonly state: string
}

export interface SessionsOptions {
  readonly directory?: SessionDirectory
  readonly replicas: () => readonly Replica[]
  /** Containers of other hosts, as HOST/NAME. */
  readonly far?: () => readonly Peer[]
  /** The connections of a process; undefined if it does not answer. */
  readonly list: (id: number) => Promise<readonly ConnectionDescription[] | undefined>
  /** Orders a process to move a connection; undefined if it does not answer in time. */
  readonly move: (id: number, sessionId: Uint8Array, target: number) => Promise<MoveReport | undefined>
  /** Asks a process what a connection is, and orders it to move it, if a target is given. */
  readonly reveal: (id: number, sessionId: Uint8Array, target?: number) => Promise<Revelation | undefined>
}

/** A connection, with what is needed to speak of it. */
interface Found extends ConnectionStatus {
  readonly sessionId: Uint8Array
  readonly owner: number
}

/** What is said of a container that tells no secrets. */
const NO_TEACHER =
  'this platform was not started to teach, and tells no secrets: hotpotato up --teach starts one that does'

/** How often a connection that has moved on by itself is looked for. */
const ATTEMPTS = 3

/**
 * What is known of connections outside of the containers that have them: nothing, until the user asks.
 * Answers of containers that were asked while a connection was on its way contradict each other; the
 * directory knows which one to believe.
 */
export class Sessions {
  readonly #options: SessionsOptions
  readonly #directory: SessionDirectory
  /** Those that were found by the last census, as the directory has them. */
  readonly #known = new Map<string, Ownership>()
  /** The census that is taken, and the one behind it. */
  #running: Promise<unknown> = Promise.resolve()
  #next: Promise<Found[]> | undefined
  #silent: readonly string[] = []

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#directory = options.directory ?? new MemoryDirectory()
  }

  /** Containers that did not answer the last census in time: what they have is not in it. */
  get silent(): readonly string[] {
    return this.#silent
  }

  /** Asks all containers. @returns every connection once, with its owner */
  async list(): Promise<ConnectionStatus[]> {
    const found = await this.#census()
    return found.map(({ sessionId, owner, ...status }) => status)
  }

  /**
   * Moves a connection to another container of the function that serves it.
   * @param prefix of its id, in hexadecimal: as much as tells it from others
   * @param dumped whether it is told what travels: only a platform that teaches does
   * @throws Error there is no such connection, or container, or it cannot take it; the connection is where it
   * was, unless it says otherwise
   */
  async move(prefix: string, container: string, dumped = false): Promise<Moved> {
    for (let attempt = 1; ; attempt++) {
      const connection = this.#choose(await this.#searched(prefix), prefix)
      const target = this.#target(connection, container)
      const { id, owner, generation, container: from } = connection
      const { sessionId } = connection
      const told = dumped ? await this.#options.reveal(owner, sessionId, target) : undefined
      if (told?.refused === true) throw new Error(NO_TEACHER)
      const report = dumped ? told : await this.#options.move(owner, sessionId, target)
      switch (report?.outcome) {
        case 'moved': {
          const next = { owner: String(target), generation: report.generation }
          const entry = await this.#directory.transfer(id, { owner: String(owner), generation }, next)
          if (entry.granted) this.#known.set(id, next)
          const moved = { connection: id, from, to: container, generation: report.generation }
          return told === undefined ? moved : { ...moved, dump: await this.#dump(told, sessionId, target) }
        }
        case 'kept':
          throw new Error(`${container} refused it, and it stays in ${from}: ${report.detail}`)
        case 'ended':
          throw new Error(`the connection ended before it could move: ${report.detail}`)
        case undefined: {
          const stays = (await this.#census()).find(one => one.id === id)?.stays
          const why = stays === undefined ? '' : `: ${stays} cannot move`
          throw new Error(`${from} is busy with it${why}; it moves when that work is done`)
        }
        case 'unknown':
          // It has gone on, or ended, since we asked.
          if (attempt === ATTEMPTS) throw new Error(`the connection moved again before it could be found`)
      }
    }
  }

  /** The state of a connection's session, where it is now. @throws Error as {@link move} */
  async reveal(prefix: string): Promise<RevealedState> {
    for (let attempt = 1; ; attempt++) {
      const { id, owner, sessionId, container } = this.#choose(await this.#searched(prefix), prefix)
      const told = await this.#options.reveal(owner, sessionId)
      if (told?.state !== undefined) return { connection: id, container, state: hex(told.state) }
      if (told === undefined) throw new Error(`${container} does not answer`)
      if (told.refused) throw new Error(NO_TEACHER)
      if (told.outcome === 'kept') throw new Error('the connection has no TLS, or is ending')
      if (attempt === ATTEMPTS) throw new Error(`the connection moved again before it could be found`)
    }
  }

  /** What is known of a move that is over. */
  async #dump({ state, envelope }: Revelation, sessionId: Uint8Array, target: number): Promise<MoveDump> {
    const after = (await this.#options.reveal(target, sessionId))?.state
    return {
      ...(state === undefined ? {} : { before: hex(state) }),
      envelope: hex(envelope ?? EMPTY),
      ...(after === undefined ? {} : { after: hex(after) }),
    }
  }

  /** All connections; asked for again while it is in none: it may be on its way between two containers. */
  async #searched(prefix: string): Promise<Found[]> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#census()
      if (attempt === ATTEMPTS || found.some(({ id }) => id.startsWith(prefix))) return found
    }
  }

  #choose(found: readonly Found[], prefix: string): Found {
    const matching = found.filter(({ id }) => id.startsWith(prefix))
    const [first] = matching
    if (first === undefined) {
      const silent = this.#silent.length === 0 ? '' : `; ${this.#silent.join(', ')} did not answer`
      throw new Error(`there is no connection ${prefix}${silent}; see hotpotato status --connections`)
    }
    if (matching.length > 1) {
      const some = matching.slice(0, 3).map(({ id }) => id)
      const more = matching.length > 3 ? ', …' : ''
      throw new Error(
        `${prefix} is the beginning of ${matching.length} connections: ${some.join(', ')}${more}`,
      )
    }
    return first
  }

  #target(connection: Found, name: string): number {
    const replicas = this.#options.replicas()
    const replica = replicas.find(one => one.name === name)
    const { functionName } = connection
    const far = this.#options.far?.().filter(one => one.functionName === functionName) ?? []
    const there = far.find(one => one.name === name)
    if (there !== undefined) return there.id
    const siblings = [...replicas.filter(one => one.functionName === functionName), ...far].map(
      one => one.name,
    )
    if (replica === undefined)
      throw new Error(`there is no container ${name}; those of ${functionName} are ${siblings.join(', ')}`)
    if (replica.name === connection.container) throw new Error(`the connection is already in ${name}`)
    if (replica.functionName !== functionName)
      throw new Error(
        `the connection is being served by ${functionName}: it can move to ${siblings.join(', ')}`,
      )
    const { member } = replica
    if (member?.peer === undefined || !replica.life.stays)
      throw new Error(`${name} takes no connections; its state is ${replica.life.state}`)
    return member.id
  }

  /** One after the other, each by answers that are given after it is asked for. */
  #census(): Promise<Found[]> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const found = this.#look()
      this.#running = found.catch(() => undefined)
      return found
    })
    return this.#next
  }

  async #look(): Promise<Found[]> {
    // What becomes known meanwhile, by moves, an answer may be too old to speak of.
    const before = new Map(this.#known)
    const asked = this.#options.replicas().flatMap(({ member, ...replica }) => {
      return member?.peer === undefined ? [] : [{ ...replica, id: member.id, name: member.spec.name }]
    })
    const answers = await Promise.all(
      asked.map(async replica => ({ ...replica, list: await this.#options.list(replica.id) })),
    )
    this.#silent = answers.filter(({ list }) => list === undefined).map(({ name }) => name)
    const found: Found[] = []
    const seen = new Map<string, Found>()
    for (const { id: owner, name, functionName, list } of answers) {
      for (const one of list ?? []) {
        const status = statusOf(one, owner, name, functionName)
        const claimed = await this.#directory.claim(status.id, {
          owner: String(owner),
          generation: one.generation,
        })
        if (!claimed.granted) continue
        const earlier = seen.get(status.id)
        if (earlier !== undefined) found.splice(found.indexOf(earlier), 1)
        seen.set(status.id, status)
        found.push(status)
      }
    }
    const answered = answers.filter(({ list }) => list !== undefined).map(({ id }) => String(id))
    await this.#forget(before, seen, new Set(answered))
    return found
  }

  /**
   * Releases what no container has named any more, of those that have answered or are no more.
   * @param before what was known when they were asked
   */
  async #forget(
    before: ReadonlyMap<string, Ownership>,
    seen: ReadonlyMap<string, Found>,
    answered: ReadonlySet<string>,
  ): Promise<void> {
    const alive = new Set(this.#options.replicas().map(({ member }) => String(member?.id)))
    for (const [id, ownership] of before) {
      if (seen.has(id) || this.#known.get(id) !== ownership) continue
      if (!answered.has(ownership.owner) && alive.has(ownership.owner)) continue
      this.#known.delete(id)
      await this.#directory.release(id, ownership)
    }
    for (const [id, { owner, generation }] of seen) {
      if ((this.#known.get(id)?.generation ?? -1) < generation)
        this.#known.set(id, { owner: String(owner), generation })
    }
  }
}

function statusOf(one: ConnectionDescription, owner: number, container: string, functionName: string): Found {
  const { sessionId, generation, phase, protocol, cipherSuite, tls, serverName, requests, hops, age, stays } =
    one
  return {
    id: hex(sessionId),
    generation,
    container,
    functionName,
    state: phase,
    protocol,
    cipherSuite: cipherSuite === '' ? undefined : cipherSuite,
    tls,
    serverName: serverName === '' ? undefined : serverName,
    requests,
    hops,
    age,
    stays: stays === '' ? undefined : stays,
    sessionId,
    owner,
  }
}
