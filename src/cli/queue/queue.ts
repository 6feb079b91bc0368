import { revived } from '../../queue/life.ts'
import type { CallRecord } from '../../queue/record.ts'
import { nameOf, type Shelf, Store } from '../../queue/store.ts'
import { queueSettings } from '../../stack/queue.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { say, warn, write } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'

export interface QueueOptions {
  readonly config: string | undefined
  readonly json?: boolean | undefined
  /** Every dead letter. */
  readonly all?: boolean | undefined
  /** The content of the call alone. */
  readonly body?: boolean | undefined
}

/** A call, and where it lies. */
interface Found {
  readonly shelf: Shelf
  /** Of its file. */
  readonly name: string
  readonly record: CallRecord
}

/** Prints all calls that wait or were given up. */
export async function list({ config, json }: QueueOptions): Promise<void> {
  const found = await all(storeOf(config))
  if (json === true) say(JSON.stringify(found.map(described)))
  else if (found.length === 0) say('no asynchronous call waits, and none was given up')
  else {
    const head = ['ID', 'FUNCTION', 'STATE', 'FAILED', 'BYTES', 'ACCEPTED', 'REASON']
    say(table(head, found.map(rowOf)))
  }
}

/** Prints one call. @throws CommandError there is none */
export async function show({ config, json, body }: QueueOptions, ids: readonly string[]): Promise<void> {
  const [id] = ids
  if (id === undefined || ids.length > 1) throw new UsageError('queue show needs the id of one call')
  const [found] = await of(storeOf(config), id)
  if (body === true) await write(found.record.body)
  else if (json === true) say(JSON.stringify(described(found)))
  else for (const [name, value] of Object.entries(described(found))) say(`${name.padEnd(13)} ${value}`)
}

/** Sends dead letters anew. @throws CommandError one is not there, or a call of its id waits */
export async function replay(options: QueueOptions, ids: readonly string[]): Promise<void> {
  const store = storeOf(options.config)
  const refused = new Set<string>()
  for (const { shelf, name, record } of await chosen(store, options, ids, 'replay')) {
    if (shelf === 'dead' && (await store.revive(name, revived(record, Date.now()))))
      say(`${record.id} is sent anew`)
    else refused.add(record.id)
  }
  if (refused.size === 0) return
  const which = `a call with the id ${[...refused].join(', ')} waits already`
  throw new CommandError(
    `${which}: a dead letter that has this id is kept, and can be sent when that is over`,
  )
}

/** Takes calls away. @throws CommandError one is not there */
export async function remove(options: QueueOptions, ids: readonly string[]): Promise<void> {
  const store = storeOf(options.config)
  for (const { shelf, name, record } of await chosen(store, options, ids, 'remove')) {
    if (shelf === 'calls') await store.remove(record.id)
    else await store.removeFile(shelf, name)
    say(`${record.id} is removed`)
  }
}

function storeOf(config: string | undefined): Store {
  const found = readConfiguration(config, process.env)
  return new Store(queueSettings(found.config).directory)
}

async function chosen(
  store: Store,
  { all: every }: QueueOptions,
  ids: readonly string[],
  what: string,
): Promise<Found[]> {
  if (every === true && ids.length === 0) return (await all(store)).filter(({ shelf }) => shelf === 'dead')
  if (ids.length === 0 || every === true) throw new UsageError(`queue ${what} needs ids of calls, or --all`)
  return (await Promise.all(ids.map(id => of(store, id)))).flat()
}

/** @param which by the name of the file */
async function all(store: Store, which: (name: string) => boolean = () => true): Promise<Found[]> {
  const found: Found[] = []
  for (const shelf of ['calls', 'dead'] as const)
    for (const name of store.names(shelf).filter(which)) {
      const record = await store.get(shelf, name).catch((error: Error) => {
        warn(`${name} is damaged: ${error.message}`)
        return undefined
      })
      if (record !== undefined) found.push({ shelf, name, record })
    }
  return found.sort((before, after) => before.record.acceptedAt - after.record.acceptedAt)
}

/** All of one id: the call that waits, and dead letters of others that had it before. */
async function of(store: Store, id: string): Promise<readonly [Found, ...Found[]]> {
  const name = nameOf(id)
  const [first, ...others] = await all(store, one => one === name || one.startsWith(`${name}+`))
  if (first !== undefined) return [first, ...others]
  throw new CommandError(`no asynchronous call has the id ${id}: hotpotato queue list tells those there are`)
}

const STATES = { calling: 'waits', telling: 'waits for its callback', dead: 'given up' } as const

function rowOf({ record }: Found): (string | number)[] {
  const { id, functionName, phase, failures, body, acceptedAt, reason } = record
  const accepted = new Date(acceptedAt).toISOString()
  return [id, functionName, STATES[phase], failures, body.length, accepted, reason]
}

function described({ shelf, record }: Found): Record<string, unknown> {
  const { id, functionName, method, target, phase, failures, body, callback, reason, answer } = record
  return {
    ...{
      id,
      functionName,
      shelf,
      state: STATES[phase],
      method,
      target,
      bytes: body.length,
      failures,
      reason,
    },
    callback,
    acceptedAt: new Date(record.acceptedAt).toISOString(),
    dueAt: new Date(record.dueAt).toISOString(),
    ...(answer === undefined ? {} : { answered: answer.status }),
  }
}
