import type { SlotHeader } from '../transfer/slot.ts'

/** A container that has, or was given, a connection. */
export interface Owner {
  /** Of its process. */
  readonly id: number
  /** At which it got it. */
  readonly generation: number
}

/** Where a connection is, as far as those say who had it. */
export type Whereabouts =
  /** `by` has it. */
  | { readonly kind: 'held'; readonly by: Owner }
  /** `by` has offered it to `to`, which has not said that it has it: either of them may. */
  | { readonly kind: 'offered'; readonly by: Owner; readonly to: number }
  /** @param settled no other container can have it */
  | { readonly kind: 'done'; readonly by: Owner; readonly settled: boolean }

/** Containers that are followed from one to the next at most; more than there are. */
const MOST_STEPS = 65_536

/**
 * Follows a connection from container to container. Each says in its own file, where no other can write, to
 * whom it gave the connection, and is believed only if the one before has given it to it: so a container that
 * was never given a connection cannot speak of it, and a lie of one that was is about what it had itself.
 *
 * @param from the first one, which is certain: the gateway gave the connection to it, or a container that had
 * it did
 * @param said what a container says of the connection last; undefined if nothing, or nothing that can be read
 */
export function follow(from: Owner, said: (id: number) => SlotHeader | undefined): Whereabouts {
  let by = from
  for (let hop = 0; hop < MOST_STEPS; hop++) {
    const word = said(by.id)
    // What is older is of an earlier stay.
    if (word === undefined || word.generation < by.generation) return { kind: 'held', by }
    if (word.state === 'done') return { kind: 'done', by, settled: word.target === 0 }
    // Each offer is a new generation, or it is none.
    if (word.state === 'live' || word.generation === by.generation)
      return { kind: 'held', by: { id: by.id, generation: word.generation } }
    const next = said(word.target)
    if (next === undefined || next.generation < word.generation)
      return { kind: 'offered', by, to: word.target }
    by = { id: word.target, generation: word.generation }
  }
  return { kind: 'held', by }
}
