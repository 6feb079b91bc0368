import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { hotpotato, makeDirectory, Platform } from '../support/platform.ts'

/**
 * A function that turns against its platform: it wants a second container to have a connection that lives in
 * another one.
 */
const CONFIG = (road: string) => `
version: 1
${road}
gateway: { defaultFunction: echo }
connection: { idleSeconds: 60 }
restart: { firstSeconds: 0.05, mostSeconds: 0.2, crashLoop: 1000 }
functions:
  echo: { replicas: 3 }
  traitor: { handler: ./traitor.mjs }
`
const dist = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../dist/src/${path}`, import.meta.url).href))
const TRAITOR = `
import { openSync } from 'node:fs'
import { Courier } from ${dist('transfer/courier.js')}
import { SlotFile } from ${dist('transfer/slot-file.js')}
import { Host } from ${dist('containers/process/host.js')}
import { Descriptor } from ${dist('transfer/stream.js')}

const files = []
const peers = []
let courier
const { open } = SlotFile
SlotFile.open = (...words) => {
  const file = open(...words)
  files.push(file)
  return file
}
const { introduced, connect } = Host.prototype
Host.prototype.introduced = function (peer) {
  peers.push(peer)
  return introduced.call(this, peer)
}
Host.prototype.connect = function (given) {
  courier = given
  return connect.call(this, given)
}

/** Asks every process to take the connection over, which a gateway would. */
async function takeOver(sessionId) {
  const [checkpoint, retained] = [new Uint8Array(99), new Uint8Array(0)]
  const offer = { checkpoint, generation: 0, received: 0, records: 0, retained }
  const answers = peers.map(({ id, name }) => new Promise(resolve => {
    const nothing = Descriptor.fromFd(openSync('/dev/null', 'r'))
    courier.sendTakeOver(id, { sessionId, generation: 9 }, offer, nothing, release => {
      nothing.close()
      resolve([name, release.state, release.verdict?.reason])
    })
  }))
  return JSON.stringify(await Promise.all(answers))
}

/**
 * Says in every slot that it can write that the connection is its own, is with a dead one, or is over;
 * then it dies.
 */
function lie(sessionId, state) {
  let written = 0
  for (const file of files)
    for (let slot = 0; slot < Math.min(file.slots, 2000); slot++) {
      const header = { state, sessionId, generation: 2 ** 31, target: state === 'offered' ? 4_000_000 : 0 }
      if (file.writeHeader(slot, header)) written++
    }
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100)
  return files.length + ' ' + written
}

export default async request => {
  const query = new URL(request.url).searchParams
  const sessionId = Uint8Array.from(Buffer.from(query.get('session'), 'hex'))
  const lies = query.get('lie')
  return new Response(lies === null ? await takeOver(sessionId) : lie(sessionId, lies))
}
`

interface Status {
  readonly connections: readonly { readonly id: string; readonly container: string }[]
}

describe.each([
  ['duplicate', 'carrier: fd\nduplicate: true'],
  ['leg', 'carrier: relay'],
])('a connection with a %s, that lives and is idle', (kind, road) => {
  let platform: Platform
  let directory: string
  beforeAll(async () => {
    directory = await makeDirectory(CONFIG(road))
    writeFileSync(join(directory, 'traitor.mjs'), TRAITOR)
    platform = await Platform.start({ directory, environment: { HOTPOTATO_CARRIER: '' } })
    await platform.until('echo-1', ({ counters }) => counters.keyRing! >= 3)
  })
  afterAll(() => platform?.stop())

  const options = (serverName: string) => ({ port: platform.https, tls: { ca: platform.ca, serverName } })

  /** A connection to echo, and its id, as the supervisor shows it to its user. */
  async function victim() {
    const client = await Client.open(options('echo.local'))
    const { container } = await client.request('/echo')
    const { stdout } = await hotpotato(directory, ['status', '--connections', '--json'])
    const { connections } = JSON.parse(stdout) as Status
    return { client, container, id: connections.find(one => one.container === container)!.id }
  }

  async function attack(query: string): Promise<string> {
    const client = await Client.open(options('traitor.local'))
    const answer = await client.request(`/traitor?${query}`)
    await client.close()
    expect(answer.status, textOf(answer)).toBe(200)
    return textOf(answer)
  }

  async function goesOnWhereItIs(of: Awaited<ReturnType<typeof victim>>): Promise<void> {
    expect(await of.client.request('/echo')).toMatchObject({ status: 200, container: of.container, hops: 0 })
    expect((await platform.member('gateway')).counters.takenOver).toBe(0)
    expect(await platform.total('takenOver')).toBe(0)
    expect(await of.client.close()).toEqual({ closeNotify: true, alert: undefined, error: undefined })
  }

  it('is not taken over because a container asks for it', async () => {
    const one = await victim()
    const answers = JSON.parse(await attack(`session=${one.id}`)) as [string, string, string][]
    expect(answers.map(([name]) => name)).toEqual(expect.arrayContaining(['echo-1', 'echo-2', 'echo-3']))
    for (const answer of answers) expect(answer.slice(1)).toEqual(['owned', 'role'])
    await goesOnWhereItIs(one)
  })

  it.runIf(kind === 'duplicate')(
    'stays where it is, whatever a container that dies has said of it',
    async () => {
      const one = await victim()
      const liar = (await platform.member('traitor-1')).pid
      const [files, written] = (await attack(`session=${one.id}&lie=live`)).split(' ').map(Number)
      expect([files, written! > 0]).toEqual([1, true])
      await platform.until('traitor-1', ({ pid, ready }) => ready && pid !== liar)
      await goesOnWhereItIs(one)
    },
  )
})
