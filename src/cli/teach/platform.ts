import type { Life, Step } from '../../supervisor/observatory/telling.ts'
import type { ConnectionStatus, Moved } from '../../supervisor/sessions.ts'
import type { MemberStatus } from '../../supervisor/status.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError } from '../line/usage-error.ts'
import type { FunctionDescription } from '../platform/description.ts'
import { ask } from '../platform/order.ts'
import type { PlatformStatus } from '../platform/status.ts'

/** Milliseconds that containers have to tell a step, and between two questions. */
const PATIENCE = 3000
const AGAIN = 100

/** What lessons ask of the running platform, and order. */
export class LivePlatform {
  readonly #config: string | undefined
  readonly #functionName: string
  #watch: { readonly page: URL; readonly over: AbortController } | undefined

  /** @param config its stack file, if one was named @param functionName what lessons are about */
  constructor(config: string | undefined, functionName: string) {
    this.#config = config
    this.#functionName = functionName
  }

  /** The containers of the function that can work. */
  async containers(): Promise<readonly MemberStatus[]> {
    const { members } = await ask<PlatformStatus>('status', { config: this.#config })
    return members.filter(({ functionName, ready }) => functionName === this.#functionName && ready)
  }

  async connections(): Promise<readonly ConnectionStatus[]> {
    const { connections } = await ask<PlatformStatus>('status connections', { config: this.#config })
    return connections ?? []
  }

  /** Why a connection would not outlive its container; undefined: it does. */
  async mortal(): Promise<string | undefined> {
    const { carrier } = await ask<FunctionDescription>(`describe ${this.#functionName}`, {
      config: this.#config,
    })
    if (carrier !== 'fd') return undefined
    const start = 'HOTPOTATO_DUPLICATE=true npm start (or: duplicate: true in the stack file)'
    return `the platform keeps no duplicate of its connections: they would end. Start it with ${start}`
  }

  move(id: string, container: string): Promise<Moved> {
    return ask<Moved>(`move ${id} ${container}`, { config: this.#config })
  }

  /**
   * Kills one container's process, that and no other. @throws Error the function has no such container, or it
   * cannot be killed
   */
  async kill(container: string): Promise<void> {
    const found = (await this.containers()).find(({ name }) => name === container)
    if (found?.pid === undefined) throw new CommandError(`there is no container ${container} that works`)
    try {
      process.kill(found.pid, 'SIGKILL')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw new CommandError(`${container}, process ${found.pid}, cannot be killed (${code})`)
    }
  }

  /** From now on containers tell what becomes of connections, as for the page of `hotpotato ui`. */
  async watch(): Promise<void> {
    if (this.#watch !== undefined && !this.#watch.over.signal.aborted) return
    const { address } = await ask<{ readonly address: string }>('ui', { config: this.#config })
    const over = new AbortController()
    const page = new URL(address)
    this.#watch = { page, over }
    const { body } = await fetch(new URL('events', page), { headers: bearer(page), signal: over.signal })
    body?.pipeTo(new WritableStream(), { signal: over.signal }).then(
      () => over.abort(),
      () => over.abort(),
    )
  }

  /** What containers have told of a connection since {@link watch}, once that generation is told. */
  async life(id: string, generation: number): Promise<readonly Step[]> {
    const page = this.#watch?.page
    if (page === undefined) return []
    for (const end = SYSTEM_CLOCK.steady() + PATIENCE; ; ) {
      const answer = await fetch(new URL(`connections/${id}`, page), { headers: bearer(page) })
      const steps = answer.ok ? ((await answer.json()) as Life).steps : []
      const told = steps.filter(step => step.generation >= generation).map(({ kind }) => kind)
      // Of a move two containers tell, each in its time.
      const moved = told.includes('arrived') || told.includes('returned')
      const known =
        told.some(kind => kind !== 'left') && (!moved || steps.some(({ kind }) => kind === 'left'))
      if (known || SYSTEM_CLOCK.steady() > end) return steps
      await new Promise<void>(resolve => SYSTEM_CLOCK.after(AGAIN, resolve))
    }
  }

  close(): void {
    this.#watch?.over.abort()
    this.#watch = undefined
  }
}

function bearer({ hash }: URL): { readonly authorization: string } {
  return { authorization: `Bearer ${hash.slice(1)}` }
}
