import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { hotpotato, makeDirectory, Platform } from '../support/platform.ts'

/** Each case starts a platform: `HOTPOTATO_LONG=1` tries all of them. */
const LONG = process.env.HOTPOTATO_LONG === '1'

/*
 * What Node has in this version, it may not have in the next: each is taken away here, for every process of a
 * platform.
 */

const PRELOAD = new URL('./without.mjs', import.meta.url).href

/** No more than is asked for: each function is a process. */
const SMALL = 'version: 1\nfunctions:\n  echo: {}\n  hello: {}\n'

const options = (words: string): Record<string, string> => ({ NODE_OPTIONS: words })
const without = (...what: string[]) => options(`--import=${PRELOAD}?${what.join('&')}`)

/**
 * Starts it, moves a connection from one process to the other and back, and gives what it has said and
 * logged.
 */
async function moved(environment: Record<string, string>): Promise<string> {
  const platform = await Platform.start({ environment, config: SMALL })
  try {
    const tls = { ca: platform.ca, serverName: 'echo.local' }
    const client = await Client.open({ port: platform.https, tls })
    const answers = []
    for (const target of ['/echo', '/hello', '/echo']) answers.push(await client.request(target))
    expect(answers.map(({ container, hops }) => [container, hops])).toEqual([
      ['echo-1', 0],
      ['hello-1', 1],
      ['echo-1', 2],
    ])
    await client.close()
    return platform.welcome.slice(0, platform.welcome.indexOf('hotpotato is running')) + platform.log
  } finally {
    await platform.stop()
  }
}

/** Has it refuse to start. @returns what it says, line by line */
async function refusal(environment: Record<string, string>): Promise<readonly string[]> {
  const directory = await makeDirectory(SMALL)
  try {
    const { code, stdout, stderr } = await hotpotato(directory, ['up'], environment)
    expect(code).toBe(1)
    return (stdout + stderr).trim().split('\n')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe('a platform starts and moves a connection', () => {
  it('without a warning, even of what is deprecated in documents alone', async () => {
    const said = await moved(options('--pending-deprecation --trace-warnings'))
    expect(said.trimStart()).toMatch(/^\{/)
    expect(said).not.toMatch(/warning|deprecat/i)
  })

  it.each([
    ['process.binding', ['binding'], 'no process.binding'],
    ...(LONG
      ? ([
          [
            'what process.binding gives',
            ['refusal'],
            'process.binding refused: No such binding: stream_wrap',
          ],
          ['the state of its streams', ['state'], 'raw handles do not work: what was read came back changed'],
        ] as const)
      : []),
  ] as const)('by public sockets without %s', async (_, what, reason) => {
    expect(await moved({ ...without(...what), HOTPOTATO_CARRIER: 'fd' })).toContain(
      `note: connections use net.Socket instead of raw handles, which is slower (${reason})\n`,
    )
  })

  it.each([
    ['the ports that cluster binds', ['port']],
    ...(LONG ? ([['keys from a JWK that does not name the public one', ['jwk']]] as const) : []),
  ] as const)('in silence without %s', async (_, what) => {
    expect((await moved({ ...without(...what), HOTPOTATO_PROVIDER: 'node' })).trimStart()).toMatch(/^\{/)
  })

  it("over Node's IPC without foreign calls", async () => {
    const said = await moved(options('--no-addons'))
    expect(said).toMatch(
      /^note: connections move over Node's IPC, which is slower \(foreign calls failed: .+\)$/m,
    )
    expect(said).toMatch(/"provider":"node"/)
  })
})

describe('a platform says in one line why it cannot run', () => {
  it('when no connection comes out of a socket', async () => {
    expect(await refusal(without('handle', 'binding'))).toEqual([
      `Node ${process.version} cannot move connections: net.Socket takes no handle`,
    ])
  })

  it('when connections are to be relayed, which public sockets cannot do', async () => {
    const said = await refusal({ ...without('binding'), HOTPOTATO_CARRIER: 'relay' })
    expect(said.at(-1)).toContain(
      'carrier: relay needs raw streams, which do not work on this machine: raw streams: no process.binding',
    )
  })

  it('when no port can be bound for another process', async () => {
    const said = await refusal(without('port', 'binding'))
    expect(said.at(-1)).toBe(
      `Node ${process.version} cannot open port 0: no net._createServerHandle, and no process.binding`,
    )
    expect(said.slice(0, -1)).toEqual([
      "note: connections move over Node's IPC, which is slower (no process.binding)",
      'note: connections use net.Socket instead of raw handles, which is slower (no process.binding)',
    ])
  })
})
