import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { goalLines } from '../harness/goal.ts'
import type { Skipped } from '../harness/measurement.ts'
import { runBench } from '../harness/run.ts'
import { Series } from '../harness/stats.ts'
import { type Placement, usableCpus } from '../rig/placement.ts'
import { type Cell, goalsOf, measurementsOf, rowsOf } from './result.ts'
import { compile, Stage, WAYS } from './stage.ts'

/** `npm run bench:relay`: what does it cost to relay a connection, beside a relay in C? */
await runBench(
  {
    name: 'relay',
    question:
      'What does it cost to relay a connection record by record, beside a relay in C that only copies?',
    options: {},
    plans: {
      quick: { warmUp: 1, least: 3, rounds: 3, seconds: 10, precision: 0.05, trips: 500, records: 1024 },
      default: { warmUp: 3, least: 8, rounds: 40, seconds: 75, precision: 0.02, trips: 2000, records: 8192 },
      full: {
        warmUp: 10,
        least: 50,
        rounds: 1000,
        seconds: 7200,
        precision: 0.003,
        trips: 5000,
        records: 32_768,
      },
    },
  },
  async run => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-relay-'))
    const [cpu, other] = usableCpus()
    const skipped: Skipped[] = []
    const program = compile(directory)
    const ways = WAYS.filter(way => way !== 'c' || program !== undefined)
    if (program === undefined)
      skipped.push({
        name: 'relay',
        labels: { way: 'c' },
        reason: 'no C compiler: apt-get install gcc libc6-dev',
      })
    const placements: Placement[] = other === undefined ? ['one core'] : ['one core', 'two cores']
    if (other === undefined)
      skipped.push({ name: 'relay', labels: { placement: 'two cores' }, reason: 'only one CPU may be used' })
    const cells: Cell[] = []
    const scenes: { readonly stage: Stage; readonly cells: readonly Cell[] }[] = []
    try {
      for (const placement of placements) {
        const path = join(directory, `${scenes.length}.sock`)
        const stage = await Stage.open(path, program, cpu, placement === 'one core' ? cpu : other!)
        const here = ways.map(way => ({ way, placement, times: new Series(), rates: [] }))
        cells.push(...here)
        scenes.push({ stage, cells: here })
        for (const way of ways) await stage.check(way)
      }
      await run.rounds(
        async counts => {
          for (const { stage, cells } of scenes) {
            for (const { way, times, rates } of cells) {
              if (run.interrupted) return
              const trips = await stage.roundTrips(way, run.plan.trips)
              const rate = await stage.bulk(way, run.plan.records)
              if (!counts) continue
              times.add(trips)
              rates.push(rate)
            }
          }
        },
        () => cells.flatMap(({ times, rates }) => [times.medians, rates]),
      )
    } finally {
      for (const { stage } of scenes) stage.close()
      rmSync(directory, { recursive: true, force: true })
    }
    const measured = cells.filter(({ rates }) => rates.length > 0)
    return {
      measurements: measured.flatMap(measurementsOf),
      skipped,
      goals: placements.flatMap(placement => goalsOf(measured.filter(cell => cell.placement === placement))),
      details: {},
      print: ({ goals }) => `${rowsOf(measured)}\n\n${goalLines(goals)}`,
    }
  },
)
