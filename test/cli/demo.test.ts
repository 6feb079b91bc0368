import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { MAIN } from '../support/platform.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-demo-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Runs it where temporary files are ours alone. */
function demo(onText: (text: string, pid: number) => void = () => {}) {
  const env = { ...process.env, TMPDIR: directory }
  const child = spawn(process.execPath, [MAIN, 'demo'], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    onText(stdout, child.pid!)
  })
  child.stderr.resume()
  return once(child, 'close').then(([code]) => ({ code: code as number | null, stdout }))
}

it('tells where one connection goes: over calls, a deploy, a kill, and in mid-response', async () => {
  const { code, stdout } = await demo()
  const visits = [...stdout.matchAll(/^ {2}GET \/(\w+) +200 from (\S+) +after (\d+) moves/gm)]
  const [functions, containers, hops] = [1, 2, 3].map(group => visits.map(visit => visit[group]))
  expect(functions).toEqual(['hello', 'echo', 'hello', 'hello', 'hello', 'count'])
  // Of the four containers of hello that there were, each visit names one; after the kill it is another one.
  expect(containers![4]).not.toBe(containers![3])
  expect(hops!.map(Number)).toEqual([...hops!].map(Number).sort((one, other) => one - other))
  expect(stdout).toMatch(/^ {2}begun by count-1, ended by count-2: every line once, in order$/m)
  expect(stdout).toMatch(/^7 requests, one connection \(from port \d+\), one handshake, no error$/m)
  expect(code).toBe(0)
  expect(readdirSync(directory)).toEqual([])
})

it('leaves nothing behind when it is broken off', async () => {
  let sent = false
  const { code } = await demo((text, pid) => {
    if (sent || !text.includes('GET /hello')) return
    sent = true
    process.kill(pid, 'SIGINT')
  })
  expect([sent, code]).toEqual([true, 130])
  expect(readdirSync(directory)).toEqual([])
})
