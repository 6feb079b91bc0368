import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { guardIpc } from '../../src/transfer/channels/ipc-guard.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-ipc-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

it('messages behind one that broke the channel are dropped, and throw nothing', async () => {
  const script = join(directory, 'child.mjs')
  // In one write, so that Node has read all of it when the first one ends the channel.
  const lines = '{"cmd":"NODE_X"}\\n7\\n{"a":1}\\n'
  writeFileSync(
    script,
    `import { writeSync } from 'node:fs'\nwriteSync(3, '${lines}')\nsetInterval(() => {}, 1000)\n`,
  )
  const child = fork(script, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const thrown: unknown[] = []
  const note = (error: unknown): void => void thrown.push(error)
  process.on('uncaughtException', note)
  try {
    const reason = await new Promise<string>(resolve => {
      guardIpc(child, why => {
        // As the supervisor does: the channel is over, and nothing listens to it any more.
        child.disconnect()
        resolve(why)
      })
    })
    expect(reason).toBe('it sent something that is not a message')
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(thrown).toEqual([])
  } finally {
    process.off('uncaughtException', note)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
