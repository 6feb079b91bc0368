import { readFileSync } from 'node:fs'
import { KINDS } from './kinds.mjs'

/* One flood in a process of its own: `main.mjs KIND HTTP HTTPS CA-FILE SECONDS`. Prints what it did, as JSON, when it is over. */

const [kind, http, https, caFile, seconds] = process.argv.slice(2)
const counters = {}
const world = {
  ports: { http: Number(http), https: Number(https) },
  ca: readFileSync(caFile, 'utf8'),
  until: Date.now() + Number(seconds) * 1000,
  count(name, by = 1) {
    counters[name] = (counters[name] ?? 0) + by
  },
}
// Whatever the platform does to its connections, a flood goes on until its time is over.
process.on('uncaughtException', () => world.count('uncaught'))
setTimeout(() => process.exit(3), Number(seconds) * 1000 + 10_000).unref()
await KINDS[kind](world)
process.stdout.write(`${JSON.stringify(counters)}\n`, () => process.exit(0))
