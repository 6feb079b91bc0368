/** What was found of one thing. */
export interface Finding {
  readonly what: string
  /** `note`: something else does not work, and hotpotato does; `fault`: it does not start like this. */
  readonly state: 'ok' | 'note' | 'fault'
  /** What there is, or is not; in half a sentence. */
  readonly found: string
  /** What does not work without it. */
  readonly without?: string
  /** What to do, as a command or a sentence. */
  readonly advice?: string
}

export function ok(what: string, found: string): Finding {
  return { what, state: 'ok', found }
}

/** Something that one can do without, and what that means. */
export function note(what: string, found: string, without: string, advice?: string): Finding {
  return { what, state: 'note', found, without, ...(advice === undefined ? {} : { advice }) }
}

export function fault(what: string, found: string, advice?: string): Finding {
  return { what, state: 'fault', found, ...(advice === undefined ? {} : { advice }) }
}
