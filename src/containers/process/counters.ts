/** What a container has done so far, for `status`. */
export interface Counters {
  /** Parcels taken. */
  accepted: number
  /** Of these, connections that came back to a seat. */
  returned: number
  /** Connections taken over from containers that died. */
  takenOver: number
  /** Parcels refused. */
  refused: number
  /** Connections that went on to another container. */
  moved: number
  /** Connections that a gateway has, because the function sleeps, and that came back from there. */
  hibernated: number
  thawed: number
  /** Connections that were closed here. */
  ended: number
  /** Connections that had to be ended because it was unknown which process owned them. */
  unclean: number
  /**
   * Connections that ended because something was thrown over them: a fault of the platform, which its log
   * tells.
   */
  failed: number
}

/** Counters of a container that has done nothing. */
export function noneCounted(): Counters {
  return {
    accepted: 0,
    returned: 0,
    takenOver: 0,
    refused: 0,
    moved: 0,
    hibernated: 0,
    thawed: 0,
    ended: 0,
    unclean: 0,
    failed: 0,
  }
}
