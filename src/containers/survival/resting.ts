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
    const gateway = [...this.#gateways].at(-1)
    const { functionName, checkpoints, courier } = this.#host
    if (!this.#underway || gateway === undefined || courier === undefined) return false
    const settled = (release: Release): void => {
      if (release.state === 'gone') this.#events.given()
      settle(release)
      this.#events.settled()
    }
    const give = (frozen: Frozen): void =>
      hibernate({ functionName, checkpoints, courier }, gateway, frozen, settled)
    const frozen = freeze(false)
    if (!(frozen instanceof Promise)) give(frozen)
    // Its client went away while its last response was being sent.
    else frozen.then(give).catch(() => settled({ state: 'ended', reason: 'lost' }))
    return true
  }
}
