import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { environmentOf, hotpotato, MAIN, makeDirectory } from '../support/platform.ts'
import { run } from '../support/programs.ts'

/*
 * The page shows system calls of real processes. Here they are traced once more, and each call of the page
 * must be among those of its process, in the page's order, with the constants that the page names.
 */

const STRACE = versionOf('strace')
const PAGE = readFileSync(new URL('../../docs/life-of-a-socket.md', import.meta.url), 'utf8')
const CONFIG = `
gateway: { defaultFunction: echo }
functions:
  echo: {}
  files: { files: ${new URL('../../docs', import.meta.url).pathname} }
`
const CALLS = [
  'accept4,bind,close,connect,epoll_ctl,execve,listen,read,recvfrom,recvmsg,sendmsg,sendto',
  'setsockopt,socket,write,writev',
].join()

interface Call {
  readonly name: string
  readonly text: string
}

/**
 * By process, the calls of the page. Of reads and sends in one of its blocks the first of each counts: how
 * many there are depends on which packets come together.
 */
function callsOfPage(): Map<string, Call[]> {
  const calls = new Map<string, Call[]>()
  for (const [, block] of PAGE.matchAll(/^```text\n(.*?)^```$/gms)) {
    const seen = new Set<string>()
    for (const [, process, text, name] of block!.matchAll(/^(\S+) +((\w+)\(.*)$/gm)) {
      if (/^(read|sendto)$/.test(name!) && seen.has(`${process} ${name}`)) continue
      seen.add(`${process} ${name}`)
      calls.set(process!, [...(calls.get(process!) ?? []), { name: name!, text: text!.split(' [')[0]! }])
    }
  }
  return calls
}

/** By process, what strace wrote. */
function callsOf(trace: string): Map<string, Call[]> {
  const calls = new Map<string, Call[]>()
  for (const [, process, text, name] of trace.matchAll(/^(\d+) +((\w+)\(.*)$/gm))
    calls.set(process!, [...(calls.get(process!) ?? []), { name: name!, text: text! }])
  return calls
}

/** What is the same in every trace: names of flags and kinds. */
const constants = (text: string): string[] => text.match(/\b[A-Z][A-Z0-9]*_?[A-Z0-9_]{2,}\b/g) ?? []

/** The first call of the page that is not there, behind those before it. */
function missing(page: readonly Call[], traced: readonly Call[]): string | undefined {
  let at = 0
  for (const { name, text } of page) {
    const found = traced.findIndex(
      (one, i) => i >= at && one.name === name && constants(text).every(word => one.text.includes(word)),
    )
    if (found < 0) return text
    at = found + 1
  }
  return undefined
}

const title = `the calls of the page are those of real processes: ${noteOf(STRACE, 'strace', 'strace')}`

describe.skipIf(STRACE === undefined || process.env.HOTPOTATO_LONG !== '1')(title, () => {
  it('each process makes them, in the order of the page', { timeout: 240_000 }, async () => {
    const names = ['echo', 'files'].map(name => ({ name, hosts: [`${name}.localhost`] }))
    const directory = await makeDirectory(CONFIG, names)
    const file = join(directory, 'trace')
    const flags = ['-f', '-yy', '-e', `trace=${CALLS}`, '-o', file]
    const up = [MAIN, 'up', '--config', join(directory, 'hotpotato.yml')]
    const child: ChildProcess = spawn('strace', [...flags, process.execPath, ...up], {
      env: environmentOf(directory, { HOTPOTATO_CARRIER: 'fd' }),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exit = once(child, 'exit')
    try {
      let said = ''
      for await (const text of child.stdout!.setEncoding('utf8')) {
        said += text
        if (said.includes('Ctrl-C')) break
      }
      const [, port] = /^ {2}https +\S+:(\d+)$/m.exec(said)!
      const { stdout } = await hotpotato(directory, ['status', '--json'])
      const { pid, members } = JSON.parse(stdout)
      const url = `https://echo.localhost:${port}`
      const resolve = ['--resolve', `echo.localhost:${port}:127.0.0.1`]
      const ca = ['--cacert', join(directory, 'certs/ca.crt')]
      const curl = await run('curl', [
        '-s',
        '--http1.1',
        ...ca,
        ...resolve,
        `${url}/`,
        `${url}/files/moves.md`,
      ])
      expect(curl.stdout.toString()).toContain('<h1 id="how-a-connection-moves">')
      await hotpotato(directory, ['stop'])
      await exit
      const traced = callsOf(readFileSync(file, 'utf8'))
      const pids = new Map<string, number>(
        members.map((one: { name: string; pid: number }) => [one.name, one.pid]),
      )
      pids.set('supervisor', pid)
      const page = callsOfPage()
      expect([...page.keys()].sort()).toEqual(['echo-1', 'files-1', 'gateway', 'supervisor'])
      for (const [process, calls] of page) {
        const own = traced.get(String(pids.get(process))) ?? []
        // Only what concerns the ports and the connection: the rest is of other sockets.
        const of = own.filter(
          ({ name, text }) => name === 'execve' || text.includes('TCP') || /SCM_RIGHTS|AF_INET/.test(text),
        )
        expect([process, missing(calls, process === 'supervisor' ? own : of)]).toEqual([process, undefined])
      }
    } finally {
      child.kill('SIGTERM')
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it('one that is not made is noticed', () => {
    const made = [{ name: 'read', text: 'read(3, "", 1) = 0' }]
    expect(missing([{ name: 'read', text: 'read(3)' }], made)).toBeUndefined()
    expect(
      missing(
        [
          { name: 'read', text: 'read(3)' },
          { name: 'close', text: 'close(3)' },
        ],
        made,
      ),
    ).toBe('close(3)')
    expect(missing([{ name: 'read', text: 'read(3, MSG_PEEK)' }], made)).toBe('read(3, MSG_PEEK)')
  })
})
