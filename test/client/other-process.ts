import { type ChildProcess, type SendHandle, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Released } from '../../src/client/index.ts'

/** Child processes run what was built. */
const LIBRARY = new URL('../../dist/src/client/index.js', import.meta.url).href

/** The other process: it takes connections in, and tells what it has read. */
const OTHER = `
  const { Client, Descriptor } = await import(process.env.CLIENT)
  const { createHash } = await import('node:crypto')
  const waiting = []
  process.on('message', async ({ state, count }, handle) => {
    const descriptor = Descriptor.fromHandle(handle)
    waiting.push({ state: new Uint8Array(Buffer.from(state, 'base64')), descriptor })
    if (waiting.length < count) return
    const connector = { connect: () => Promise.reject(new Error('there is no way out')) }
    const { client, responses } = Client.restore(waiting.splice(0), { decode: false, connector })
    const all = await Promise.all(responses.map(async ({ label, response }) => {
      const answer = await response
      return [label, answer.status, Buffer.from(await answer.arrayBuffer()).toString('base64')]
    }))
    await client.close()
    process.send(all)
  })
  process.send('ready')`

let other: Promise<ChildProcess> | undefined
/** Starts it, once. */
function otherProcess(): Promise<ChildProcess> {
  other ??= (async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', OTHER], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, CLIENT: LIBRARY },
    })
    await once(child, 'message')
    return child
  })()
  return other
}

export type Told = [label: string, status: number, content: string][]

/** Gives them to it. @returns what it has read: label, status, content in base64 */
export async function thrown(released: readonly Released[]): Promise<Told> {
  const child = await otherProcess()
  const told = once(child, 'message')
  for (const { state, descriptor } of released) {
    const message = { state: Buffer.from(state).toString('base64'), count: released.length }
    child.send(message, descriptor.handle as unknown as SendHandle, () => descriptor.close())
  }
  return (await told)[0] as Told
}

/** Ends it, if it was started. */
export async function endOther(): Promise<void> {
  ;(await other)?.kill()
}
