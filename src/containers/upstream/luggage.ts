import type { Lifted } from '../../transfer/byte-stream.ts'
import type { Envelope, Upstream } from '../../transfer/envelope.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import { type Arrived, departed, type Leaving, type Upstreams } from './upstreams.ts'

/** What one client's connection brings along, and takes along: responses of upstreams. */
export class Luggage {
  /** They have come, and no call has asked for them. */
  #arrived: readonly Arrived[]
  #companions: readonly Descriptor[] = []
  #packed: readonly Upstream[] = []

  constructor(arrived: readonly Arrived[] = []) {
    this.#arrived = arrived
  }

  /** What has come for the call on that stream; each is given once. */
  take(streamId: number): readonly Arrived[] {
    const some = this.#arrived.filter(one => one.streamId === streamId)
    this.#arrived = this.#arrived.filter(one => one.streamId !== streamId)
    return some
  }

  /** Of what is {@link packed} and live, open until it is {@link drop | dropped}. */
  get companions(): readonly Descriptor[] {
    return this.#companions
  }

  /** What an envelope says of it. */
  get packed(): readonly Upstream[] {
    return this.#packed
  }

  /**
   * Takes what leaves out of this process, while the client's connection is taken out.
   * @returns that, later if there is something else @throws (as rejection) what that was rejected with; then
   * nothing is packed
   */
  pack(lifted: Lifted | Promise<Lifted>, leaving: readonly Leaving[] = []): Lifted | Promise<Lifted> {
    return leaving.length === 0 ? lifted : this.#pack(lifted, leaving)
  }

  async #pack(lifted: Lifted | Promise<Lifted>, leaving: readonly Leaving[]): Promise<Lifted> {
    const [client, others] = await Promise.allSettled([lifted, departed(leaving)])
    if (others.status === 'rejected') throw others.reason
    ;({ companions: this.#companions, upstreams: this.#packed } = others.value)
    if (client.status === 'fulfilled') return client.value
    this.drop()
    throw client.reason
  }

  /** It was not taken: what was packed is as if it had come. @throws what reading it throws */
  unpack(upstreams: Upstreams | undefined, envelope: Pick<Envelope, 'upstreams'>): void {
    const companions = this.#companions
    this.#companions = this.#packed = []
    this.#arrived = upstreams?.read(envelope.upstreams, companions) ?? []
  }

  /** It is not ours any more, or of no use. */
  drop(): void {
    for (const { arriving } of this.#arrived) arriving.drop()
    for (const companion of this.#companions) companion.close()
    this.#arrived = this.#companions = this.#packed = []
  }
}
