import type { ConnectionStatus, RevealedState } from '../../supervisor/sessions.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { SessionState } from '../../tls13/index.ts'
import type { RecordedState } from '../../trace/recording.ts'
import { decode, fromHex, hex } from '../../wire/index.ts'
import type { Command } from '../platform/control-socket.ts'
import { serverStates } from '../states/moved.ts'

/** Milliseconds between two looks, and how often is looked. */
const PERIOD = 100
const LOOKS = 100
/** Connections that one of a lesson may be taken for: those that were opened at the same time. */
const MOST = 16

/** Gives the platform an order. @throws Error it refuses, or nothing runs */
export type Ask = <T extends object>(command: Command) => Promise<T>

/**
 * Looks at a lesson's connection from the platform's side, where that teaches. Which of the connections it is
 * is known by its keys in the end: until then all new ones are looked at.
 */
export class Onlooker {
  readonly #ask: Ask
  readonly #before: ReadonlySet<string>
  readonly #told = new Map<string, RevealedState[]>()

  private constructor(ask: Ask, before: ReadonlySet<string>) {
    this.#ask = ask
    this.#before = before
  }

  /** To be called before the connection is made. */
  static async begin(ask: Ask): Promise<Onlooker> {
    const onlooker = new Onlooker(ask, new Set())
    const { connections = [] } = await onlooker.#list()
    return new Onlooker(ask, new Set(connections.map(({ id }) => id)))
  }

  /** Takes down the state of each new connection, as soon as one has been answered so often. */
  async look(requests: number): Promise<void> {
    for (let look = 0; look < LOOKS; look++) {
      const { connections = [] } = await this.#list()
      const fresh = connections
        .filter(one => !this.#before.has(one.id) && one.state === 'idle')
        .slice(0, MOST)
      if (fresh.some(one => one.requests >= requests)) return this.#reveal(fresh)
      await new Promise<void>(resolve => SYSTEM_CLOCK.after(PERIOD, resolve))
    }
  }

  /** What was seen of the connection that has these lines in its key log. @param at in milliseconds */
  statesOf(keyLog: readonly string[], at: number): RecordedState[] {
    const secrets = new Set(keyLog.map(line => line.split(' ').at(-1)))
    const states = [...this.#told.values()].find(([first]) => {
      const { read } = decode(SessionState, fromHex(first!.state))
      return read !== undefined && secrets.has(hex(read.trafficSecret))
    })
    return states === undefined ? [] : serverStates(states, at)
  }

  async #reveal(connections: readonly ConnectionStatus[]): Promise<void> {
    for (const { id } of connections) {
      // One that has ended meanwhile is another client's.
      const told = await this.#ask<RevealedState>(`reveal ${id}`).catch(() => undefined)
      if (told !== undefined) this.#told.set(id, [...(this.#told.get(id) ?? []), told])
    }
  }

  #list(): Promise<{ readonly connections?: readonly ConnectionStatus[] }> {
    return this.#ask('status connections')
  }
}
