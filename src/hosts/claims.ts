import type { SessionDirectory } from '../transfer/directory.ts'
import { hex } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { SaidParcel } from './said.ts'

/** What the directory has said of a connection that comes. */
export type Claim =
  | { readonly against: string }
  | { readonly against?: never; readonly directory: SessionDirectory; readonly revision: bigint | undefined }

/** A session of this host, as the directory has it. */
export interface Claimed {
  readonly directory: SessionDirectory | undefined
  readonly sessionId: string
  readonly generation: number
}

/** What this host claims of the sessions of other hosts' clients. */
export class Claims {
  readonly #owner: string
  readonly #directory: () => SessionDirectory | undefined

  /** @param owner how the directory calls this host: no other one is ever called so */
  constructor(owner: string, directory: () => SessionDirectory | undefined) {
    this.#owner = owner
    this.#directory = directory
  }

  /** The directory has to say that a connection of another host is ours. Never rejects. */
  async claim({ said: { sessionId, generation } }: SaidParcel): Promise<Claim> {
    const directory = this.#directory()
    if (directory === undefined) return { against: 'etcd is away, and nothing is claimed' }
    try {
      const entry = await directory.claim(hex(sessionId), { owner: this.#owner, generation })
      if (!entry.granted) return { against: `the directory refuses it: ${entry.reason}` }
      return { directory, revision: entry.revision }
    } catch (error) {
      return { against: `nothing is claimed: ${reasonOf(error)}` }
    }
  }

  release({ directory, sessionId, generation }: Claimed): void {
    // If etcd is away, it ends there with our lease.
    void directory?.release(sessionId, { owner: this.#owner, generation }).catch(() => undefined)
  }
}
