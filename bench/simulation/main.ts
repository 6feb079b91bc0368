import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { MOST_FOREIGN } from '../harness/goal.ts'
import { OptionError, whole, wholes } from '../harness/options.ts'
import { letReadersGo } from '../harness/output.ts'
import { readResult } from '../harness/result-file.ts'
import { RESULTS } from '../harness/results.ts'
import { BenchError } from '../harness/run.ts'
import { median } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import type { MigrationResult } from '../migration/result.ts'
import { type Fleet, type Prediction, predict, TARGET } from './fleet.ts'
import { type Measured, measuredIn } from './measured.ts'
import { simulateCore } from './queue.ts'

const USAGE = `usage: npm run bench:simulation -- [options] [MIGRATION.json]

What would many more connections need than two cores can hold? A model of each core as a queue (M/G/1,
discrete-event), fed with what bench:migration has measured; by default the newest result in
bench/results. First it predicts what was measured in open loop, and says how wrong it is.

  --connections N,N  in all; default: 100000,1000000,10000000
  --hosts N          default: 0, as many as are needed
  --cores N          of each host that serve; default: 16
  --memory N         GiB of each host for connections; default: 32
  --interval N       seconds between two requests on a connection; default: 10
  --alpha P          percent of requests that move; default: 10
  --bytes N          of memory for a connection; default: 9000 (bench:memory measures it)
  --failures N       of a host in a thousand days; default: 33
  --json             print JSON`

/** `npm run bench:simulation`. */
function main(): void {
  try {
    const { values, positionals } = parse()
    if (values.help) {
      process.stdout.write(`${USAGE}\n`)
      return
    }
    const file = positionals[0] ?? newest()
    const result = read(file)
    const doubts = doubtsOf(result)
    const measured = measuredIn(result)
    const checks = checksOf(measured)
    const alpha = whole('alpha', values.alpha, 0, 100) / 100
    const mixture = [
      { share: 1 - alpha, kind: measured.stays },
      { share: alpha, kind: measured.migrated },
    ]
    const common = {
      cores: whole('cores', values.cores, 1, 1024),
      memory: whole('memory', values.memory, 1, 65_536) * 2 ** 30,
      failures: whole('failures', values.failures, 0, 1e6) / 1000,
      rate: 1 / whole('interval', values.interval, 1, 1e6),
      perConnection: whole('bytes', values.bytes, 1, 1e9),
      handshake: measured.handshake,
    }
    const hosts = whole('hosts', values.hosts, 0, 1e6)
    const predictions = wholes('connections', values.connections, 1, 1e12).map(connections => {
      const fleet = (count: number): Fleet => ({ ...common, connections, hosts: count })
      return predict(fleet(hosts === 0 ? predict(fleet(1), mixture).needed : hosts), mixture)
    })
    if (values.json) {
      const shown = {
        model: 'M/G/1 for each core, discrete-event',
        from: basename(file),
        doubts,
        checks,
        assumed: common,
        predictions,
      }
      process.stdout.write(`${JSON.stringify(shown, undefined, 1)}\n`)
      return
    }
    const words = [
      ...(doubts.length === 0 ? [] : [`note: ${basename(file)} ${doubts.join(', and ')}: do not quote this`]),
      `Each core is a queue (M/G/1, discrete-event). Fed with ${basename(file)}: ` +
        `a request that stays keeps a server's core busy for ${figure(measured.stays.service)} µs, ` +
        `a migrated one ${figure(measured.migrated.service)} µs`,
      checkText(checks),
      predictionText(predictions),
      `assumed: ${common.cores} cores and ${values.memory} GiB for connections on each host, ` +
        `a request every ${values.interval} s on each connection, of which ${values.alpha} % move, ` +
        `${common.perConnection} B a connection, ${common.failures} failures a day and host. ` +
        `Hosts are alike, cores at most ${TARGET * 100} % busy, one host spare. ` +
        'Not modelled: the network, other work of a host, memory bandwidth',
    ]
    process.stdout.write(`${words.join('\n\n')}\n`)
  } catch (error) {
    if (!(error instanceof OptionError || error instanceof BenchError)) throw error
    console.error(error instanceof OptionError ? `${error.message}\n\n${USAGE}` : error.message)
    process.exitCode = error instanceof OptionError ? 2 : 1
  }
}

function parse() {
  const text = (fallback: string) => ({ type: 'string', default: fallback }) as const
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        connections: text('100000,1000000,10000000'),
        hosts: text('0'),
        cores: text('16'),
        memory: text('32'),
        interval: text('10'),
        alpha: text('10'),
        bytes: text('9000'),
        failures: text('33'),
        json: flag,
        help: flag,
      },
    })
  } catch (error) {
    throw new OptionError((error as Error).message.split('. ')[0])
  }
}

/** One measured point, and what the model says. */
interface Check {
  readonly kind: string
  readonly rate: number
  readonly utilisation: number
  readonly measured: { readonly mean: number; readonly p50: number; readonly p99: number }
  readonly predicted: { readonly mean: number; readonly p50: number; readonly p99: number }
  /** Predicted p50 / measured p50, less one. */
  readonly error: number
}

function checksOf(measured: Measured): Check[] {
  return measured.points.map(({ kind, rate, mean, p50, p99 }) => {
    const { utilisation, ...predicted } = simulateCore([{ share: 1, kind: measured[kind] }], rate)
    return {
      kind,
      rate,
      utilisation,
      measured: { mean, p50, p99 },
      predicted,
      error: predicted.p50 / p50 - 1,
    }
  })
}

function checkText(checks: readonly Check[]): string {
  const rows = checks.map(({ kind, rate, utilisation, measured, predicted, error }) => [
    `a request that ${kind === 'stays' ? 'stays' : 'is migrated'}, ${rate}/s`,
    `${(utilisation * 100).toFixed(0)} %`,
    figure(measured.p50),
    time(predicted.p50),
    Number.isFinite(error) ? `${error > 0 ? '+' : ''}${(error * 100).toFixed(0)} %` : 'saturated',
    figure(measured.p99),
    time(predicted.p99),
  ])
  const errors = checks.map(({ error }) => Math.abs(error)).filter(Number.isFinite)
  const all = errors.length === 0 ? '–' : `${(median(errors) * 100).toFixed(0)} %`
  const head = ['', 'busy', 'p50 measured', 'predicted', 'error', 'p99 measured', 'predicted']
  const title = '── the model against what was measured in open loop (µs)'
  return `${title}: half of its medians are wrong by at most ${all}\n${table(head, rows)}`
}

function predictionText(predictions: readonly Prediction[]): string {
  const rows = predictions.map(one => [
    one.connections.toLocaleString('en'),
    String(one.hosts),
    `${(one.utilisation * 100).toFixed(0)} %`,
    `${(one.memory * 100).toFixed(0)} %`,
    time(one.p50),
    time(one.p99),
    `${count(one.capacity.cores)} / ${count(one.capacity.memory)}`,
    String(one.needed),
    Math.round(one.lost).toLocaleString('en'),
    Number.isFinite(one.recovery) ? `${figure(one.recovery)} s` : 'never',
  ])
  const head = [
    'connections',
    'hosts',
    'busy',
    'memory',
    'p50 µs',
    'p99 µs',
    'a host holds (cores / memory)',
    'hosts needed',
    'lost a day',
    'reconnected in',
  ]
  return `── predictions\n${table(head, rows)}`
}

function time(microseconds: number): string {
  return Number.isFinite(microseconds) ? figure(microseconds) : '∞'
}

function count(value: number): string {
  return value.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 })
}

/** The newest result that there is nothing against, or else the newest. */
function newest(): string {
  const files = readdirSync(RESULTS)
    .filter(name => /^migration-\d.*\.json$/.test(name))
    .sort()
    .reverse()
    .map(name => join(RESULTS, name))
  const file = files.find(isSound) ?? files[0]
  if (file === undefined)
    throw new BenchError('there is no result of bench:migration: npm run bench:migration makes one')
  return file
}

function isSound(file: string): boolean {
  try {
    return doubtsOf(read(file)).length === 0
  } catch {
    return false // it is of an earlier format
  }
}

/** Why a result is a poor source. */
function doubtsOf({ mode, complete, load }: MigrationResult): string[] {
  const { foreign = 0 } = load
  return [
    ...(mode === 'quick' ? ['is quick, of few samples'] : []),
    ...(complete ? [] : ['was cut off']),
    ...(foreign > MOST_FOREIGN
      ? [`is noisy, other programs used ${Math.round(foreign * 100)} % of the machine`]
      : []),
  ]
}

/** @throws BenchError */
function read(file: string): MigrationResult {
  const result = readResult(file)
  if (result.bench !== 'migration') throw new BenchError(`${file} is no result of bench:migration`)
  return result as MigrationResult
}

letReadersGo()
main()
