import type { GatewaySettings } from '../../platform/gateway-settings.ts'
import type { MemberSpec } from '../../stack/spec.ts'
import { type ControlMessage, NO_PROOFS, type Proofs } from '../../transfer/control.ts'

/** What a {@link Proving} needs of the processes. */
export interface ProvingCrew {
  readonly tellGateways: (message: ControlMessage) => void
  /** @returns when all processes have heard what they were told, or say nothing */
  readonly heard: () => Promise<unknown>
}

/** What gateways show to authorities of the web: those that run, and those that are started later. */
export class Proving {
  readonly #crew: ProvingCrew
  #proofs: Proofs = NO_PROOFS

  constructor(crew: ProvingCrew) {
    this.#crew = crew
  }

  /** From now on it is these. @returns when the gateways have heard it */
  async prove(proofs: Proofs): Promise<void> {
    this.#proofs = proofs
    this.#crew.tellGateways(this.news)
    await this.#crew.heard()
  }

  /** What a gateway has to hear when it is ready: it may have been started with those of before. */
  get news(): ControlMessage {
    return { kind: 'proofs', ...this.#proofs }
  }

  /** A gateway that shows them as soon as it accepts. */
  specOf(gateway: MemberSpec, ports: readonly { readonly fd: number }[]): MemberSpec {
    const shown: Pick<GatewaySettings, 'proofs'> = { proofs: this.#proofs }
    const descriptors = ports.map(({ fd }) => fd)
    return { ...gateway, descriptors, settings: { ...gateway.settings, ...shown } }
  }
}
