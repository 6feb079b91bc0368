import { readFileSync } from 'node:fs'
import { KINDS } from './kinds.mjs'

/*
 * One flood in a process of its own: `main.mjs KIND HTTP HTTPS CA-FILE SECONDS`. Prints what it did, as JSON,
 * when it is over.
 */

const [kind, http, https, caFile, seconds] = process.argv.slice(2)
const counters = {}
const world = {
  ports: { http: Number(http), https: Number(https) },
  ca: readFileSync(caFile, 'utf8'),
  until: 0,
  count(name, by = 1) {
    counters[name] = (counters[name] ?? 0) + by
  },
}
// Whatever the platform does to its connections, a flood goes on until its time is over.
process.on('uncaughtException', () => world.count('uncaught'))
const begun = () => counters.connections > 0 && (counters.bytes > 0 || kind === 'silence')
// On a machine that has no time, a short flood may be over before it has begun: the next one takes longer.
for (let tries = 0; tries < 5 && !begun(); tries++) {
  const milliseconds = Number(seconds) * 1000 * 2 ** tries
  world.until = Date.now() + milliseconds
  const late = setTimeout(() => process.exit(3), milliseconds + 10_000)
  await KINDS[kind](world)
  clearTimeout(late)
}
process.stdout.write(`${JSON.stringify(counters)}\n`, () => process.exit(0))
