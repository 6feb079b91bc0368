import type { Mark, Moment } from '../tamper/marks.ts'

/** What a request goes through, in order. Those of a move are only in a migrated one. */
export const STAGES = {
  read: "from the client's write to bytes in our hands: kernel, wake-up, read",
  decrypt: 'the record opened',
  parse: 'the request head; after a move once more, and reading begins',
  route: 'whose it is; the function is called',
  export: 'stream lifted, session and HTTP state out of their objects, encoded',
  seal: 'sealed to the target',
  send: 'framed, taken into custody, sendmsg',
  'wake-up': 'the target is told, and wakes up',
  receive: 'recvmsg, reassembled, decoded',
  open: 'opened',
  attach: 'decoded, the socket in the event loop of the target',
  import: 'session restored, keys derived',
  function: 'the function itself',
  format: 'the response framed',
  encrypt: 'the record sealed',
  write: 'write',
  deliver: 'kernel, and the client wakes up',
} as const

export type Stage = keyof typeof STAGES

/** One request as the client saw it, in nanoseconds of the clock of {@link Moment}. */
export interface Seen {
  readonly began: number
  readonly ended: number
}

/** µs of each stage of one request. */
export type Stages = Readonly<Partial<Record<Stage, number>>>

/**
 * The end of a stage: a mark, and in which process; `last`: the last such mark before the next one of the
 * list.
 */
interface Step {
  readonly stage: Stage
  readonly until: Mark
  readonly where: 'source' | 'target'
  readonly last?: true
}

const HERE: readonly Step[] = [
  { stage: 'read', until: 'feed', where: 'source' },
  { stage: 'decrypt', until: 'opened', where: 'source' },
  { stage: 'parse', until: 'request', where: 'source' },
]

const AWAY: readonly Step[] = [
  { stage: 'route', until: 'routed', where: 'source' },
  { stage: 'export', until: 'seal', where: 'source' },
  { stage: 'seal', until: 'sealed', where: 'source' },
  { stage: 'send', until: 'sent', where: 'source' },
  { stage: 'wake-up', until: 'receive', where: 'target', last: true },
  { stage: 'receive', until: 'open', where: 'target' },
  { stage: 'open', until: 'open-done', where: 'target' },
  { stage: 'attach', until: 'restore', where: 'target' },
  { stage: 'import', until: 'restored', where: 'target' },
  { stage: 'parse', until: 'request', where: 'target' },
]

const ANSWER = [
  ['route', 'handle'],
  ['function', 'handled'],
  ['format', 'encrypt'],
  ['encrypt', 'encrypted'],
  ['write', 'written'],
] as const

/**
 * Cuts requests into stages. They came one after the other, so that what was noted between a request's
 * beginning and its end belongs to it.
 * @param processes the moments of each process, in order; which of them is the source is found out by who
 * reads the request
 * @returns for each request its stages; undefined where a moment is missing
 */
export function cut(
  seen: readonly Seen[],
  processes: readonly (readonly Moment[])[],
  kind: 'stays' | 'migrated',
): (Stages | undefined)[] {
  const cursors = processes.map(() => 0)
  return seen.map(request => {
    const during = processes.map((moments, index) => {
      let at = cursors[index]!
      while (at < moments.length && moments[at]!.at < request.began) at++
      const from = at
      while (at < moments.length && moments[at]!.at <= request.ended + SLACK) at++
      cursors[index] = from
      return moments.slice(from, at)
    })
    const [source, target] = [first(during, 'feed'), first(during, 'handle')]
    if (source === undefined || target === undefined) return undefined
    const last = ANSWER.map(([stage, until]): Step => ({ stage, until, where: 'target' }))
    const steps = kind === 'stays' ? [...HERE, ...last] : [...HERE, ...AWAY, ...last]
    return along(steps, request, { source, target })
  })
}

/**
 * Nanoseconds after the answer's arrival in which the last mark may still be made, because the client is
 * sometimes faster.
 */
const SLACK = 200_000

/** Whose mark was the first: the next request may have begun already, elsewhere. */
function first(during: readonly (readonly Moment[])[], mark: Mark): readonly Moment[] | undefined {
  let found: { readonly moments: readonly Moment[]; readonly at: number } | undefined
  for (const moments of during) {
    const at = moments.find(one => one.mark === mark)?.at
    if (at !== undefined && (found === undefined || at < found.at)) found = { moments, at }
  }
  return found?.moments
}

function along(
  steps: readonly Step[],
  { began, ended }: Seen,
  moments: Readonly<Record<Step['where'], readonly Moment[]>>,
): Stages | undefined {
  const stages: Partial<Record<Stage, number>> = {}
  let before = began
  for (const [index, { stage, until, where, last }] of steps.entries()) {
    const limit = last === undefined ? undefined : find(moments[where], steps[index + 1]!.until, before)
    const found =
      last === undefined ? find(moments[where], until, before) : findLast(moments[where], until, limit)
    // The answer may be there before the write has returned: then the client has overtaken the server.
    const overtaken = until === 'sent' ? received(moments.target, before) : ended
    const at = Math.min(found ?? (until === 'written' ? ended : Number.NaN), overtaken ?? ended)
    if (!(at >= before)) return undefined
    stages[stage] = (stages[stage] ?? 0) + (at - before) / 1000
    before = at
  }
  stages.deliver = (ended - before) / 1000
  return stages
}

/** The target may have the message before `sendmsg` has returned, and run before the source does. */
function received(target: readonly Moment[], after: number): number | undefined {
  return findLast(target, 'receive', find(target, 'open', after))
}

function find(moments: readonly Moment[], mark: Mark, after: number): number | undefined {
  return moments.find(one => one.mark === mark && one.at >= after)?.at
}

function findLast(moments: readonly Moment[], mark: Mark, before: number | undefined): number | undefined {
  return before === undefined ? undefined : moments.findLast(one => one.mark === mark && one.at <= before)?.at
}
