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
  const found = await one(storeOf(config), id)
  if (body === true) await write(found.record.body)
  else if (json === true) say(JSON.stringify(described(found)))
  else for (const [name, value] of Object.entries(described(found))) say(`${name.padEnd(13)} ${value}`)
}

/** Sends dead letters anew. @throws CommandError one is not there */
export async function replay(options: QueueOptions, ids: readonly string[]): Promise<void> {
  const store = storeOf(options.config)
  for (const { shelf, record } of await chosen(store, options, ids, 'replay')) {
    if (shelf !== 'dead') throw new CommandError(`the call ${record.id} waits already`)
    await store.move('dead', 'calls', revived(record, Date.now()))
    say(`${record.id} is sent anew`)
  }
}

/** Takes calls away. @throws CommandError one is not there */
export async function remove(options: QueueOptions, ids: readonly string[]): Promise<void> {
  const store = storeOf(options.config)
  for (const { shelf, record } of await chosen(store, options, ids, 'remove')) {
    await store.remove(shelf, record.id)
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
  return Promise.all(ids.map(id => one(store, id)))
}

async function all(store: Store): Promise<Found[]> {
  const found: Found[] = []
  for (const shelf of ['calls', 'dead'] as const)
    for (const name of store.names(shelf)) {
      const record = await store.get(shelf, name).catch((error: Error) => {
        warn(`${name} is damaged: ${error.message}`)
        return undefined
      })
      if (record !== undefined) found.push({ shelf, record })
    }
  return found.sort((before, after) => before.record.acceptedAt - after.record.acceptedAt)
}

async function one(store: Store, id: string): Promise<Found> {
  for (const shelf of ['dead', 'calls'] as const) {
    const record = await store.get(shelf, nameOf(id))
    if (record !== undefined) return { shelf, record }
  }
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
