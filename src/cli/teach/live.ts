import type { Chances, CustodyRow, Lived } from '../../supervisor/admin/told.ts'
import { readRecording } from '../../trace/recording.ts'
import { CommandError } from '../line/usage-error.ts'
import { Conversation } from './conversation.ts'
import { LivePlatform } from './platform.ts'
import type { Pupil } from './pupil.ts'

/** Rows of custody and steps that are told: the newest. */
const TOLD = 64

/** What is done to a live connection, and needs no container. */
export const DEEDS = ['ask', 'key-update', 'flip', 'drop', 'replay', 'close'] as const
export type Deed = (typeof DEEDS)[number]
/** What is done with one container, which the user has named. */
export const ORDERS = ['move', 'kill'] as const
export type LiveOrder = (typeof ORDERS)[number]

/**
 * One live connection to the platform, and what is done to it: a connection that `hotpotato connect` has open
 * is asked, moved, broken, and its container killed. What has ended is opened anew.
 */
export class Live {
  readonly #pupil: Pupil
  readonly #target: readonly string[]
  readonly #directory: string
  readonly #platform: LivePlatform
  #talk: Conversation | undefined
  #id = ''
  #rows: CustodyRow[] = []

  /** @param target what `connect` is told of the platform @param directory of this process */
  constructor(pupil: Pupil, target: readonly string[], directory: string) {
    this.#pupil = pupil
    this.#target = target
    this.#directory = directory
    this.#platform = new LivePlatform(pupil.config, pupil.functionName)
  }

  async chances(): Promise<Chances> {
    const [containers, mortal] = await Promise.all([this.#platform.containers(), this.#platform.mortal()])
    return { containers: containers.map(({ name }) => name), ...(mortal === undefined ? {} : { mortal }) }
  }

  /** @throws Error it could not be done; the message says why */
  async does(deed: Deed): Promise<Lived> {
    const talk = await this.#ready()
    if (deed === 'close') return this.#end(talk)
    if (deed !== 'ask') await talk.tell({ now: deed })
    if (deed === 'ask' || deed === 'key-update') return this.#lived(talk, await this.#asked(talk, WHEN[deed]))
    // The record that is lost takes its request along; the server notices by the next one.
    if (deed === 'drop') await talk.sent()
    await talk.ask().catch(() => {})
    await talk.over()
    await this.#row(WHEN[deed])
    return this.#lived(talk, talk.said)
  }

  /** By order, to another container of the function. @throws Error it was refused, as an order is */
  async move(container: string): Promise<Lived> {
    await this.#mustBe(container)
    const talk = await this.#ready()
    await this.#row(`before the move to ${container}`)
    const moved = await this.#platform.move(this.#id, container)
    await this.#row('after the move')
    const said = await this.#asked(talk, 'after the next answer')
    return this.#lived(
      talk,
      `moved from ${moved.from} to ${moved.to}, generation ${moved.generation}; ${said}`,
    )
  }

  /** Kills that container with the connection in it. @throws Error the connection would end by that */
  async kill(container: string): Promise<Lived> {
    const mortal = await this.#platform.mortal()
    if (mortal !== undefined) throw new CommandError(mortal)
    await this.#mustBe(container)
    const talk = await this.#ready()
    if ((await this.#row('before'))?.container !== container) {
      await this.#platform.move(this.#id, container)
      await this.#asked(talk, `moved to ${container} first`)
    }
    const events = await talk.serverRecords()
    await this.#platform.kill(container)
    const said = await this.#asked(talk, `after ${container} was killed`)
    return this.#lived(talk, `${container} was killed; ${said}${await resumedAt(talk, events)}`)
  }

  close(): void {
    this.#talk?.close()
    this.#talk = undefined
    this.#platform.close()
  }

  /** Its name stands in an order: so it is looked at before. */
  async #mustBe(container: string): Promise<void> {
    const names = (await this.#platform.containers()).map(({ name }) => name)
    if (!names.includes(container))
      throw new CommandError(`there is no container ${container} that works; there are ${names.join(', ')}`)
  }

  /** The connection, or another one where it has ended. */
  async #ready(): Promise<Conversation> {
    if (this.#talk?.open === true) return this.#talk
    this.#talk?.close()
    this.#talk = undefined
    this.#rows = []
    this.#id = ''
    await this.#platform.watch().catch(() => {})
    const before = new Set((await this.#platform.connections()).map(({ id }) => id))
    const talk = new Conversation(this.#target, this.#pupil, this.#directory)
    this.#talk = talk
    for (let asked = 1; this.#id === ''; asked++) {
      const { container } = await talk.ask()
      const found = (await this.#platform.connections()).filter(
        one => !before.has(one.id) && one.container === container && one.requests === asked,
      )
      // Others may be opened beside it: what has had as many requests each time is this one.
      if (found.length === 1) this.#id = found[0]!.id
      else if (asked === 8) throw new CommandError('the platform does not tell which connection it is')
    }
    await this.#row('opened')
    return talk
  }

  async #asked(talk: Conversation, when: string): Promise<string> {
    try {
      const { status, container, hops } = await talk.ask()
      await this.#row(when)
      return `${container} has answered with ${status}, after ${hops} moves`
    } catch (error) {
      if (talk.open) throw error
      await this.#row(`${when}: it has ended`)
      return talk.said
    }
  }

  async #row(when: string): Promise<CustodyRow['row']> {
    const found = (await this.#platform.connections()).find(({ id }) => id === this.#id)
    const row = found && {
      ...{ container: found.container, state: found.state, generation: found.generation },
      ...{ hops: found.hops, requests: found.requests },
    }
    this.#rows = [...this.#rows, { when, row }].slice(-TOLD)
    return row
  }

  async #end(talk: Conversation): Promise<Lived> {
    await talk.end()
    await this.#row('closed')
    return this.#lived(talk, 'it is closed')
  }

  async #lived(talk: Conversation, said: string): Promise<Lived> {
    const generation = Math.max(...this.#rows.map(({ row }) => row?.generation ?? 0))
    const steps = await this.#platform.life(this.#id, generation).catch(() => [])
    return {
      ...{ recording: await talk.recording(), command: talk.command, said, id: this.#id },
      ...{ open: talk.open, custody: this.#rows, steps: steps.slice(-TOLD) },
    }
  }
}

const WHEN: Readonly<Record<Deed, string>> = {
  ask: 'after a request',
  'key-update': 'after a KeyUpdate',
  flip: 'after a bit was flipped',
  drop: 'after a record was dropped',
  replay: 'after a record was repeated',
  close: 'closed',
}

/**
 * Where the successor's checkpoint stood: its first record has the number that the checkpoint says.
 * @param before records that the server had sent when its container was killed
 */
async function resumedAt(talk: Conversation, before: number): Promise<string> {
  const { connections } = readRecording(await talk.recording())
  const records = (connections.at(-1)?.events ?? []).flatMap(one =>
    one.kind === 'record' && one.side === 'server' ? [one] : [],
  )
  const sealed = records[before]?.sealed
  if (sealed === undefined) return ''
  return `. Its checkpoint: record ${sealed.sequenceNumber} under ${sealed.secret} comes next, a KeyUpdate`
}
