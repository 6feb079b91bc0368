import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { Client } from '../../src/client/index.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { acrossRounds } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { makeIdentity } from '../rig/identity.ts'

/** Bytes of each response. */
const BYTES = 100
/** Requests of one client in a round, and how many at a time. */
const REQUESTS = 1500
const PARALLEL = 20
const COMMON = { warmUp: 2, least: 5, precision: 0.03 }

/** Asks once. @returns bytes of content */
type Ask = () => Promise<number>

/** As much of the package `undici` as is used here. */
interface Undici {
  readonly Agent: new (options: object) => { close(): Promise<void> }
  fetch(url: string, options: object): Promise<Response>
  request(url: string, options: object): Promise<{ body: { arrayBuffer(): Promise<ArrayBuffer> } }>
}

/**
 * `npm run bench:client`: what does a request over HTTPS cost a client of ours, beside undici and node:https?
 * User CPU time of this process, in which all clients take turns; the servers are Node's, in another one.
 */
await runBench(
  {
    name: 'client',
    question: 'What does a request over HTTPS cost our client, beside undici and node:https?',
    options: {},
    plans: {
      quick: { ...COMMON, warmUp: 1, least: 2, rounds: 2, seconds: 15 },
      default: { ...COMMON, rounds: 20, seconds: 75 },
      full: { ...COMMON, rounds: 100, seconds: 1200, precision: 0.01 },
    },
  },
  async run => {
    const { certificate, key, authority: ca } = await makeIdentity('localhost')
    const server = fork(fileURLToPath(new URL('peer.js', import.meta.url)))
    server.send({ cert: certificate, key, bytes: BYTES })
    const [[http1, http2]] = (await once(server, 'message')) as [[number, number]]
    const [one, two] = [`https://localhost:${http1}/`, `https://localhost:${http2}/`]
    const client = new Client({ tls: { ca } })
    const evp = probeEvp()
    const quick = evp.available ? new Client({ tls: { ca, provider: evp.provider } }) : undefined
    const agent = new Agent({ keepAlive: true, ca, maxSockets: PARALLEL })
    // Its types are of no use here, and need the package where only types are checked.
    const undici = (await import('undici' as string)) as Undici
    const dispatcher = new undici.Agent({ connect: { ca }, connections: PARALLEL })
    const ours =
      (one: Client, url: string): Ask =>
      async () =>
        sizeOf(await one.fetch(url))
    const ways: readonly (readonly [name: string, title: string, ask: Ask])[] = [
      ['fetch', 'our client.fetch', ours(client, one)],
      ['undici-fetch', 'undici.fetch', async () => sizeOf(await undici.fetch(one, { dispatcher }))],
      [
        'undici-request',
        'undici.request',
        async () => sizeOf((await undici.request(one, { dispatcher })).body),
      ],
      ['node', 'node:https', () => askNode(one, agent)],
      ['fetch-http2', 'our client.fetch over HTTP/2', ours(client, two)],
      ...(quick === undefined
        ? []
        : [['fetch-evp', 'our client.fetch, provider evp', ours(quick, one)] as const]),
    ]
    const rows: number[][] = ways.map(() => [])
    try {
      await run.rounds(
        async counts => {
          for (const [i, [, , ask]] of ways.entries()) {
            const cost = await costOf(ask)
            if (counts) rows[i]!.push(cost)
          }
        },
        () => [rows[0]!, rows[1]!],
      )
    } finally {
      client.destroy()
      quick?.destroy()
      agent.destroy()
      await dispatcher.close()
      server.kill()
    }
    const measurements = ways.flatMap(([name, title], i) =>
      rows[i]!.length === 0
        ? []
        : [figuresOf({ name: `client.${name}`, title, labels: { bytes: BYTES }, unit: 'µs CPU' }, rows[i]!)],
    )
    const beside = (i: number, own = 0): number | undefined =>
      (rows[own]?.length ?? 0) === 0
        ? undefined
        : acrossRounds(rows[own]!, rows[i]!, (ours, theirs) => ours / theirs)
    return {
      parameters: { requests: REQUESTS, parallel: PARALLEL, bytes: BYTES },
      measurements,
      goals: [
        goal('client.fetch, undici.fetch = 1', '≤', 1, beside(1)),
        goal('client.fetch, undici.request = 1', '≤', 1, beside(2)),
        goal('client.fetch with evp, undici.request = 1', '≤', 1, beside(2, 5)),
      ],
      details: {},
      print: result =>
        [
          table(
            [`a GET of ${BYTES} bytes, ${PARALLEL} at a time`, 'µs of user CPU'],
            measurements.map(({ title, value }) => [title, figure(value)]),
          ),
          goalLines(result.goals),
        ].join('\n'),
    }
  },
)

async function sizeOf(body: { arrayBuffer(): Promise<ArrayBuffer> }): Promise<number> {
  return (await body.arrayBuffer()).byteLength
}

/** µs of user CPU time for one request. */
async function costOf(ask: Ask): Promise<number> {
  const before = process.cpuUsage()
  let next = 0
  const work = async (): Promise<void> => {
    while (next++ < REQUESTS) if ((await ask()) !== BYTES) throw new BenchError('another response than it is')
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
  return process.cpuUsage(before).user / REQUESTS
}

function askNode(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent }, response => {
      let size = 0
      response.on('data', (bytes: Uint8Array) => {
        size += bytes.length
      })
      response.on('end', () => resolve(size))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
