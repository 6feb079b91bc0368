import { isFar, type Peer } from '../transfer/control.ts'

interface Entry {
  readonly peer: Peer
  /** Of another host: chosen where there is no other. */
  readonly far: boolean
  /** Connections that it said it has, and those that it was offered since. */
  load: number
  draining: boolean
  /** It has just refused, as one that is about to go or not ready yet. */
  pausing: boolean
  /** It is starting: chosen for nothing, or for connections that were kept, or for everything. */
  stage: Stage
}

type Stage = 'expected' | 'thaws' | 'begun'

/** For what a container is chosen. */
export interface Whom {
  readonly kept?: boolean | undefined
  readonly near?: boolean | undefined
}

/**
 * The containers that a process knows, by function, and how much each has to do. What is chosen is the least
 * loaded one, of this host if there is one; of equals, each in its turn. How many connections a container has
 * is heard from the supervisor now and then; what was offered to it since is counted here.
 */
export class Roster {
  readonly #byFunction = new Map<string, Entry[]>()
  readonly #byId = new Map<number, Entry>()

  /** @param stage of a container that is starting: it is chosen as {@link advance} says */
  add(peer: Peer, stage: Stage = 'begun'): void {
    const entry: Entry = { peer, far: isFar(peer), load: 0, draining: false, pausing: false, stage }
    this.#byId.set(peer.id, entry)
    const entries = this.#byFunction.get(peer.functionName)
    if (entries === undefined) this.#byFunction.set(peer.functionName, [entry])
    else entries.push(entry)
  }

  /**
   * A container that starts has come further.
   * @returns whose it is; undefined if that is nothing new, or it is about to go again
   */
  advance(id: number, stage: Exclude<Stage, 'expected'>): Peer | undefined {
    const entry = this.#byId.get(id)
    if (entry === undefined || entry.stage === 'begun' || entry.stage === stage) return undefined
    entry.stage = stage
    return entry.draining ? undefined : entry.peer
  }

  remove(id: number): void {
    const entry = this.#byId.get(id)
    if (entry === undefined) return
    this.#byId.delete(id)
    const entries = this.#byFunction.get(entry.peer.functionName)!
    entries.splice(entries.indexOf(entry), 1)
  }

  /** It is chosen no more. */
  draining(id: number): void {
    const entry = this.#byId.get(id)
    if (entry !== undefined) entry.draining = true
  }

  /** It is chosen no more until it is told otherwise. */
  pauses(id: number, pausing: boolean): void {
    const entry = this.#byId.get(id)
    if (entry !== undefined) entry.pausing = pausing
  }

  /** So many connections it has. */
  report(id: number, connections: number): void {
    const entry = this.#byId.get(id)
    if (entry !== undefined) entry.load = connections
  }

  /** All containers of a function, the draining ones among them. */
  of(functionName: string): readonly Peer[] {
    return (this.#byFunction.get(functionName) ?? []).map(({ peer }) => peer)
  }

  /** Whether that is a container of that function, be it draining. */
  isOf(id: number, functionName: string): boolean {
    return this.#byId.get(id)?.peer.functionName === functionName
  }

  /** Whether a container of that function could be chosen. @param near of this host */
  has(functionName: string, near = false): boolean {
    const entries = this.#byFunction.get(functionName) ?? []
    return entries.some(one => !one.draining && !one.pausing && one.stage === 'begun' && !(near && one.far))
  }

  /** A container by its id, unless it is draining. */
  find(id: number): Peer | undefined {
    const entry = this.#byId.get(id)
    return entry?.draining === false ? entry.peer : undefined
  }

  /**
   * @param preferred that one, if it is of the function
   * @param whom `kept`: for a connection that was kept, which goes to one, too, that takes no others yet;
   * `near`: for one that cannot leave this host
   * @returns the least loaded container of a function, which is going to be offered a connection; undefined
   * if there is none
   */
  choose(
    functionName: string,
    except?: ReadonlySet<number>,
    preferred?: number,
    { kept = false, near = false }: Whom = {},
  ): Peer | undefined {
    const entries = this.#byFunction.get(functionName)
    if (entries === undefined) return undefined
    const wanted = preferred === undefined ? undefined : this.find(preferred)
    if (wanted?.functionName === functionName && !(near && isFar(wanted))) return wanted
    let best: Entry | undefined
    for (const entry of entries) {
      if (entry.draining || entry.pausing || except?.has(entry.peer.id)) continue
      if (entry.stage !== 'begun' && !(kept && entry.stage === 'thaws')) continue
      if (near && entry.far) continue
      if (best === undefined || isBetter(entry, best)) best = entry
    }
    if (best === undefined) return undefined
    best.load++
    if (entries.length === 1) return best.peer
    // Last among equals the next time.
    entries.splice(entries.indexOf(best), 1)
    entries.push(best)
    return best.peer
  }
}

function isBetter(one: Entry, other: Entry): boolean {
  return one.far === other.far ? one.load < other.load : other.far
}
