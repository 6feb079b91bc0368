/*
 * A ledger in the manner of Jepsen: clients and functions write down what they see, each for itself, and
 * nothing of it is the platform's word. Afterwards the whole is judged.
 */

/** Which request of which connection. */
interface Which {
  readonly connection: string
  /** From 1 on; a client asks the next one when it has the answer. */
  readonly request: number
}

/** One line of the ledger. */
export type Entry =
  /** By the client: it is about to send a request. */
  | (Which & { readonly kind: 'asked'; readonly idempotent: boolean })
  /** By the function: it begins with a request. */
  | (Which & { readonly kind: 'begun'; readonly process: string })
  /** By the client: what it was answered, by which process of a function, if a function did. */
  | (Which & {
      readonly kind: 'answered'
      readonly status: number
      /** What the answer says that it answers. */
      readonly says: (Which & { readonly process: string }) | undefined
      readonly container: string
      /** Times that the connection had moved by then. */
      readonly hops: number
    })
  /** By the client: its connection is over. */
  | { readonly kind: 'ended'; readonly connection: string; readonly how: 'by-us' | 'in-order' | 'broken' }

type Of<K extends Entry['kind']> = Extract<Entry, { kind: K }>

/** Something that must not be. */
export interface Fault {
  readonly kind: 'lost' | 'twice' | 'wrong' | 'double-owner' | 'repeated'
  readonly connection: string
  readonly detail: string
}

/** Times that a request may be begun which may be begun again: by each host once more. */
const MOST_BEGUN = 3

/**
 * Judges a whole run, after all clients have ended. @param entries of one connection in their order; how
 * those of several are mixed does not matter
 */
export function check(entries: readonly Entry[]): Fault[] {
  const connections = new Map<string, Entry[]>()
  for (const entry of entries) {
    const own = connections.get(entry.connection)
    if (own === undefined) connections.set(entry.connection, [entry])
    else own.push(entry)
  }
  return [...connections].flatMap(([connection, own]) => {
    const faults = [...answersOf(own), ...beginningsOf(own), ...ownersOf(own)]
    return faults.map(([kind, detail]) => ({ kind, connection, detail }))
  })
}

type Found = readonly [Fault['kind'], string]

/** Each request has one answer, and that is its own; none is missing while its connection lives. */
function answersOf(entries: readonly Entry[]): Found[] {
  const faults: Found[] = []
  const open = new Set<number>()
  const closed = new Set<number>()
  let ended: Of<'ended'> | undefined
  for (const entry of entries) {
    if (entry.kind === 'asked') open.add(entry.request)
    else if (entry.kind === 'ended') ended = entry
    else if (entry.kind === 'answered') {
      const { request, says, status } = entry
      if (closed.has(request)) faults.push(['twice', `request ${request} is answered again`])
      else if (!open.delete(request)) faults.push(['wrong', `request ${request} was never asked`])
      closed.add(request)
      const own = says === undefined || (says.connection === entry.connection && says.request === request)
      if (!own) faults.push(['wrong', `request ${request} has the answer to ${nameOf(says)}`])
      if (says === undefined && status < 500)
        faults.push(['wrong', `request ${request}: ${status} of no one`])
    }
  }
  if (ended !== undefined && ended.how !== 'by-us') return faults
  for (const request of open)
    faults.push(['lost', `request ${request} has no answer, and its connection lives`])
  return faults
}

/** What has effects is begun once, what has none a few times; what is answered has been begun. */
function beginningsOf(entries: readonly Entry[]): Found[] {
  const faults: Found[] = []
  const begun = new Map<number, Of<'begun'>[]>()
  for (const entry of entries)
    if (entry.kind === 'begun') begun.set(entry.request, [...(begun.get(entry.request) ?? []), entry])
  const asked = new Map(entries.filter(one => one.kind === 'asked').map(one => [one.request, one]))
  for (const [request, all] of begun) {
    const idempotent = asked.get(request)?.idempotent === true
    if (all.length > (idempotent ? MOST_BEGUN : 1))
      faults.push(['repeated', `request ${request} was begun ${all.length} times`])
  }
  for (const { request, says } of entries.filter(one => one.kind === 'answered')) {
    const there = begun.get(request)?.some(one => one.process === says?.process)
    if (says !== undefined && there !== true)
      faults.push(['wrong', `request ${request} is answered by ${says.process}, which never began it`])
  }
  return faults
}

/**
 * One container after the other: none answers that another one has followed. It may begin a request that was
 * on its way when it was cut off; its client was told then that this is unknown, or has another answer.
 */
function ownersOf(entries: readonly Entry[]): Found[] {
  const faults: Found[] = []
  let last: Of<'answered'> | undefined
  for (const entry of entries) {
    if (entry.kind !== 'answered' || entry.says === undefined) continue
    const { hops, says, request } = entry
    if (last !== undefined && hops < last.hops)
      faults.push([
        'double-owner',
        `request ${request}: ${says.process} has moved ${hops} times, not ${last.hops}`,
      ])
    else if (last !== undefined && hops === last.hops && says.process !== last.says?.process)
      faults.push([
        'double-owner',
        `request ${request}: ${last.says?.process} and ${says.process} after ${hops} moves`,
      ])
    last = entry
  }
  return faults
}

function nameOf({ connection, request }: Which): string {
  return `request ${request} of ${connection}`
}
