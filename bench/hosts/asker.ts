import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { median } from '../harness/stats.ts'

/*
 * A client of node:tls, to be run in the client's namespace: all its requests go over one connection. By
 * turns it asks for a function of the other host, to which the connection moves, and for one of the first
 * host. It prints the median of each kind of request in µs as JSON. Its words: turns, host, port, and the
 * CA's file.
 */

/** Requests behind each move that stay where the connection is; the first of them is not counted. */
const STAYS = 4

const [turns, host, port, caFile] = process.argv.slice(2) as [string, string, string, string]
const agent = new Agent({
  keepAlive: true,
  maxSockets: 1,
  servername: 'echo.local',
  ca: readFileSync(caFile),
})
const sockets = new Set<unknown>()

/** @returns the µs until all of the answer was there @throws Error another container has answered */
async function ask(name: string): Promise<number> {
  const began = process.hrtime.bigint()
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ host, port, path: `/${name}`, headers: { host: 'echo.local' }, agent }, resolve)
    asked.on('socket', socket => sockets.add(socket)).on('error', reject)
    asked.end()
  })
  for await (const _ of response);
  const took = Number(process.hrtime.bigint() - began) / 1000
  const by = response.headers['x-hotpotato-container']
  if (response.statusCode !== 200 || !String(by).startsWith(`${name}-`))
    throw new Error(`${response.statusCode} of ${by} for /${name}`)
  return took
}

const times = { there: [] as number[], far: [] as number[], back: [] as number[], near: [] as number[] }
// The connection comes to the first host; three turns go before, and are not counted.
for (let turn = -3; turn < Number(turns); turn++) {
  for (const [name, moved, stays] of [
    ['hello', times.there, times.far],
    ['echo-raw', times.back, times.near],
  ] as const) {
    const took = await ask(name)
    if (turn >= 0) moved.push(took)
    for (let i = 0; i < STAYS; i++) {
      const stayed = await ask(name)
      if (turn >= 0 && i > 0) stays.push(stayed)
    }
  }
}
if (sockets.size !== 1) throw new Error(`${sockets.size} connections`)
process.stdout.write(
  JSON.stringify(Object.fromEntries(Object.entries(times).map(([kind, all]) => [kind, median(all)]))),
)
process.exit(0)
