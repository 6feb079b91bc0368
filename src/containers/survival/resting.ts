import type { CheckpointSealer } from '../../transfer/checkpoint.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Release } from '../../transfer/custody.ts'
import type { Frozen } from '../connection/connection-host.ts'
import { hibernate } from './hibernation.ts'

/** The container whose connections come to rest. */
export interface RestingHost {
  readonly functionName: string
  readonly checkpoints: CheckpointSealer
  readonly courier: Courier | undefined
}

/** What becomes of them. */
export interface RestingEvents {
  /** A gateway has taken one. */
  given(): void
  /** It has taken one, or not. */
  settled(): void
}

/** The connections of one container whose function goes to sleep: a gateway keeps what no sibling takes. */
export class Resting {
  readonly #host: RestingHost
  readonly #events: RestingEvents
  /** The newest last. */
  readonly #gateways = new Set<number>()
  #underway = false

  constructor(host: RestingHost, events: RestingEvents) {
    this.#host = host
    this.#events = events
  }

  /** The function goes to sleep. */
  get underway(): boolean {
    return this.#underway
  }

  begin(): void {
    this.#underway = true
  }

  introduced(gateway: number): void {
    this.#gateways.add(gateway)
  }

  gone(id: number): void {
    this.#gateways.delete(id)
  }

  /**
   * Gives a connection to a gateway.
   * @param settle called once @returns false if the function does not sleep, or there is no gateway: nothing
   * has happened
   */
  give(freeze: (warm: boolean) => Frozen | Promise<Frozen>, settle: (release: Release) => void): boolean {
    if (!this.#gives) return false
    const give = (frozen: Frozen): void => {
      // The gateway has ended meanwhile: it is still here.
      if (!this.giveFrozen(frozen, settle)) this.#settled({ state: 'owned', verdict: undefined }, settle)
    }
    const frozen = freeze(false)
    if (!(frozen instanceof Promise)) give(frozen)
    // Its client went away while its last response was being sent.
    else frozen.then(give).catch(() => this.#settled({ state: 'ended', reason: 'lost' }, settle))
    return true
  }

  /** The same of one that is frozen already, and that no container has taken. */
  giveFrozen(frozen: Frozen, settle: (release: Release) => void): boolean {
    const gateway = [...this.#gateways].at(-1)
    const { functionName, checkpoints, courier } = this.#host
    if (!this.#gives || gateway === undefined || courier === undefined) return false
    hibernate({ functionName, checkpoints, courier }, gateway, frozen, one => this.#settled(one, settle))
    return true
  }

  get #gives(): boolean {
    return this.#underway && this.#gateways.size > 0 && this.#host.courier !== undefined
  }

  #settled(release: Release, settle: (release: Release) => void): void {
    if (release.state === 'gone') this.#events.given()
    settle(release)
    this.#events.settled()
  }
}
