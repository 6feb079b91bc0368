import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { BenchResult } from '../../bench/harness/run.ts'
import { figuresIn } from '../../bench/report/figures.ts'
import { NAMES } from '../../bench/report/names.ts'
import { faultsOf } from './schema.ts'

const run = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-benches-'))
beforeEach(() => {
  for (const old of readdirSync(directory)) rmSync(join(directory, old))
})
afterAll(() => rmSync(directory, { recursive: true }))

/**
 * What each bench leaves besides what all of them do. `bench:migration` has a test of its own, and
 * `bench:simulation` measures nothing.
 */
const BENCHES: Readonly<Record<string, readonly string[]>> = {
  record: ['sealing', 'connections'],
  handshake: ['handshakes'],
  http: ['rows', 'tools'],
  memory: ['servers', 'connections'],
  relay: [],
  failover: [],
  handover: [],
  hosts: [],
  reload: ['counts'],
  first: [],
  client: [],
  hibernation: ['connections'],
  programs: [],
  isolation: [],
  pieces: [],
  watchers: ['told'],
}
const MICRO = [
  'records',
  'key-schedule',
  'key-updates',
  'codec',
  'envelope',
  'checkpoint',
  'leg',
  'http',
  'timer',
]

function resultOf(name: string): BenchResult {
  const file = readdirSync(directory).find(one => one.startsWith(`${name}-2`))!
  return JSON.parse(readFileSync(join(directory, file), 'utf8')) as BenchResult
}

const script = (name: string): string =>
  fileURLToPath(new URL(`../../dist/bench/${name}/main.js`, import.meta.url))

const bench = (name: string, words: readonly string[] = [], environment = {}) =>
  run(process.execPath, [script(name), '--quick', '--output', directory, ...words], {
    env: { ...process.env, ...environment },
  })

it('a bench runs in --quick, its JSON fits the schema, its CSV has a line for each measurement', async () => {
  const csv = join(directory, 'handover.csv')
  await bench('handover', ['--connections', '20', '--csv', csv])
  const result = resultOf('handover')
  expect(faultsOf(result)).toEqual([])
  expect(result).toMatchObject({ bench: 'handover', mode: 'quick', complete: true })
  const lines = readFileSync(csv, 'utf8').trimEnd().split('\r\n')
  expect(lines[0]).toMatch(
    /^bench,name,connections,unit,value,.*,date,mode,commit,modified,cpu,cores,kernel,node,/,
  )
  expect(lines).toHaveLength(result.measurements.length + 1)
})

it.skipIf(process.env.HOTPOTATO_LONG !== '1')(
  'bench:reload sees no stream of ours end (npm run test:long)',
  async () => {
    await bench('reload', ['--of', 'hotpotato', '--clients', '6'])
    const result = resultOf('reload')
    expect(faultsOf(result)).toEqual([])
    const none = { lost: 0, again: 0, handshakes: 0, wrong: 0 }
    expect(result).toMatchObject({ counts: { hotpotato: { deploys: 1, left: 0, ...none, slumber: none } } })
  },
)

it('a command line that makes no sense is refused with the usage', async () => {
  const refused = run(process.execPath, [script('record'), '--rounds', 'many'])
  await expect(refused).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('usage: npm run bench:record'),
  })
})

it.each([
  ['first', '--handler', './nothing.js', '--handler ./nothing.js is not there'],
  ['handover', '--handler', 'nothing', '--handler nothing is no shipped function'],
  ['relay', '--output', '/dev/null/nowhere', '--output /dev/null/nowhere cannot be written: '],
  ['pieces', '--csv', `${directory}/no/where.csv`, 'cannot be written: '],
])('a place that cannot be is refused before anything is measured: %s %s %s', async (name, ...words) => {
  const said = words.pop()
  await expect(run(process.execPath, [script(name), ...words])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining(said!),
  })
})

// One that goes by the common runner, and some that do not.
it.each(['record', 'micro', 'report', 'figure'])('%s says nothing of a reader that is gone', async name => {
  const child = spawn(process.execPath, [script(name), '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  expect(await once(child, 'close')).toEqual([0, null])
  expect(said).toBe('')
})

it('every bench has a script, an entry here and one in the list of benches', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>
  }
  const readme = readFileSync(new URL('../../bench/README.md', import.meta.url), 'utf8')
  const named = Object.keys(scripts).flatMap(name => (name.startsWith('bench:') ? [name.slice(6)] : []))
  const tools = ['migration', 'counts', 'simulation', 'report', 'figure', 'screenshots', 'compare']
  expect(named.sort()).toEqual([...Object.keys(BENCHES), ...tools].sort())
  for (const name of named) expect(readme).toContain(`| \`npm run bench:${name}`)
})

/** Minutes in all: `npm run test:long` has the time. */
describe.skipIf(process.env.HOTPOTATO_LONG !== '1')('every bench (npm run test:long)', () => {
  it.each(Object.entries(BENCHES))(
    '%s runs in --quick and says where and what it measured',
    async (name, fields) => {
      const { stdout } = await bench(name)
      expect(stdout).toContain('kept in')
      const result = resultOf(name)
      expect(faultsOf(result)).toEqual([])
      expect(result).toMatchObject({ bench: name, mode: 'quick', complete: true })
      for (const field of fields) expect(result, field).toHaveProperty(field)
      expect(result.goals.length).toBeGreaterThan(0)
      // What could not be measured here is named.
      if (result.skipped.length === 0)
        for (const one of result.goals) expect(one.reached, one.name).toBeTypeOf('number')
      expect(new Set(result.measurements.map(one => JSON.stringify([one.name, one.labels]))).size).toBe(
        result.measurements.length,
      )
      for (const figure of figuresIn(result)) expect(NAMES[name], figure.name).toContain(figure.name)
      const readme = readFileSync(new URL('../../bench/results/README.md', import.meta.url), 'utf8')
      for (const one of new Set(result.measurements.map(({ name }) => name)))
        expect(readme, one).toContain(`\`${one}\``)
    },
    300_000,
  )

  it('the micro-benchmarks', async () => {
    await bench('micro')
    for (const name of MICRO) {
      expect(faultsOf(resultOf(`micro-${name}`)), name).toEqual([])
      expect(resultOf(`micro-${name}`).mode, name).toBe('quick')
    }
    await expect(bench('micro', ['nonsense'])).rejects.toMatchObject({ code: 2 })
  }, 400_000)

  it('Ctrl-C, which comes to every process of a terminal: what was measured is kept', async () => {
    const words = [script('relay'), '--quick', '--rounds', '8', '--seconds', '600', '--output', directory]
    // A process group of its own, as a shell makes one.
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    let told = ''
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString()
      if (told.includes('round 3 of') && !told.includes('breaking off')) process.kill(-child.pid!, 'SIGINT')
    })
    expect(await once(child, 'close')).toEqual([0, null])
    const result = resultOf('relay')
    expect(faultsOf(result)).toEqual([])
    expect(result.complete).toBe(false)
    expect(result.measurements[0]!.rounds.length).toBeGreaterThanOrEqual(2)
  })

  it.each(['record', 'handshake', 'memory', 'relay', 'http'])(
    'one wrong byte ends %s with exit code 1, and nothing is kept',
    async name => {
      const lied = bench(name, [], { HOTPOTATO_BENCH_LIE: '1' })
      await expect(lied).rejects.toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/wrong answer|came back changed|not what was sent/),
      })
      expect(readdirSync(directory)).toEqual([])
    },
    240_000,
  )

  it('a raw function with another answer ends http with exit code 1, and nothing is kept', async () => {
    const handler = join(directory, 'lying.mjs')
    writeFileSync(handler, 'export default { handle: () => ({ status: 200, body: "..." }) }\n')
    await expect(bench('http', ['--handler', handler])).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('platform, raw function: a wrong answer: the run does not count'),
    })
    expect(readdirSync(directory)).toEqual(['lying.mjs'])
  })

  it.each(['failover', 'handover'])(
    'one wrong byte of a function ends %s with exit code 1, and nothing is kept',
    async name => {
      const handler = join(directory, 'lying.mjs')
      const answer = name === 'handover' ? 'request.body' : 'Buffer.from(request.target)'
      writeFileSync(
        handler,
        `let count = 0
export default {
  handle(request) {
    if (request.target === '/crash/' + process.pid) process.kill(process.pid, 'SIGKILL')
    const body = new Uint8Array(${answer})
    if (++count === 7) body[body.length - 1] ^= 1
    return { status: 200, headers: [['x-pid', String(process.pid)]], body }
  },
}
`,
      )
      const words = ['--connections', '20', '--handler', handler]
      await expect(bench(name, words)).rejects.toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('a wrong answer: the run does not count'),
      })
      expect(readdirSync(directory)).toEqual(['lying.mjs'])
    },
    240_000,
  )
})
