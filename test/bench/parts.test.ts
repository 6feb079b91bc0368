import { describe, expect, it, vi } from 'vitest'
import { toCsv } from '../../bench/harness/csv.ts'
import { environment } from '../../bench/harness/environment.ts'
import { figuresOf, timesOf } from '../../bench/harness/measurement.ts'
import { OptionError, readArguments } from '../../bench/harness/options.ts'
import { Series } from '../../bench/harness/stats.ts'
import { ask } from '../../bench/migration/parameters.ts'
import { RecordMeter } from '../../bench/migration/record-meter.ts'
import { isNeeded } from '../../bench/migration/schedule.ts'
import { cut, type Stage } from '../../bench/migration/stages.ts'
import type { Moment } from '../../bench/tamper/marks.ts'
import { concat } from '../../src/wire/index.ts'
import { migrationResult } from './sample.ts'

describe('the meter of records', () => {
  const record = (length: number): Uint8Array =>
    concat(Uint8Array.of(23, 3, 3, length >> 8, length & 255), new Uint8Array(length).fill(length))
  const sizes = [117, 20, 300]
  const stream = concat(...sizes.map(record))

  it('counts records and content at every cut of the bytes', () => {
    for (let cutAt = 0; cutAt <= stream.length; cutAt++) {
      const meter = new RecordMeter()
      meter.push(stream.slice(0, cutAt))
      const whole = sizes.filter(
        (_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size + 5, 0) <= cutAt,
      ).length
      expect(meter.records, `cut at ${cutAt}`).toBe(whole)
      meter.push(stream.slice(cutAt))
      expect(meter.records).toBe(3)
      expect(meter.content).toBe(sizes.reduce((sum, size) => sum + size - 17, 0))
      expect(meter.takeAll()).toEqual(sizes.map(record))
    }
  })

  it('gives records one by one, and counts no more what is skipped', () => {
    const meter = new RecordMeter()
    expect(meter.takeRecord()).toBeUndefined()
    meter.push(stream)
    expect(meter.takeRecord()).toEqual(record(117))
    expect(meter.content).toBe(3 + 283)
    meter.skip()
    expect(meter.records).toBe(0)
    meter.push(record(50))
    expect(meter.records).toBe(1)
    expect(meter.takeAll()).toEqual([record(20), record(300), record(50)])
  })
})

describe('the stages of a request', () => {
  const moments = (...list: (readonly [Moment['mark'], number])[]): Moment[] =>
    list.map(([mark, at]) => ({ mark, at: at * 1000 }))
  const source = moments(
    ['feed', 10],
    ['opened', 20],
    ['request', 25],
    ['routed', 26],
    ['lift', 27],
    ['seal', 40],
    ['sealed', 45],
    ['sent', 55],
    ['receive', 140],
  )
  const target = moments(
    ['receive', 50],
    ['receive', 70],
    ['received', 72],
    ['open', 80],
    ['open-done', 84],
    ['take', 85],
    ['restore', 90],
    ['restored', 99],
    ['request', 105],
    ['routed', 106],
    ['handle', 107],
    ['handled', 109],
    ['encrypt', 112],
    ['encrypted', 117],
    ['write', 118],
    ['written', 126],
  )
  const request = { began: 1000, ended: 130_000 }

  it('lie between marks of two processes, and add up to the whole', () => {
    const [stages] = cut([request], [target, source], 'migrated')
    expect(stages).toMatchObject({
      read: 9,
      decrypt: 10,
      seal: 5,
      send: 10,
      'wake-up': 15,
      open: 4,
      import: 9,
      function: 2,
      write: 9,
      deliver: 4,
    } satisfies Partial<Record<Stage, number>>)
    // Parsed and routed on both sides.
    expect(stages).toMatchObject({ parse: 5 + 6, route: 1 + 2 })
    expect(Object.values(stages!).reduce((sum, part) => sum + part, 0)).toBeCloseTo(129)
  })

  it('a client that is faster than the write that it waits for', () => {
    const [stages] = cut([{ began: 1000, ended: 120_000 }], [source, target], 'migrated')
    expect(stages).toMatchObject({ write: 3, deliver: 0 })
  })

  it('a target that has the message, and runs, before the send has returned', () => {
    const late = source.map(one => (one.mark === 'sent' ? { ...one, at: 100_000 } : one))
    const [stages] = cut([request], [target, late], 'migrated')
    expect(stages).toMatchObject({ send: 25, 'wake-up': 0, receive: 10 })
  })

  it('a mark that is missing is no stage of length 0', () => {
    const without = target.filter(({ mark }) => mark !== 'restored')
    expect(cut([request], [source, without], 'migrated')).toEqual([undefined])
    expect(cut([{ began: 500_000, ended: 600_000 }], [source, target], 'migrated')).toEqual([undefined])
  })
})

describe('CSV and options', () => {
  it('a column for each label, RFC 4180 quotes', () => {
    const series = new Series()
    series.add([1, 2, 3])
    const csv = toCsv({
      ...migrationResult(),
      bench: 'x',
      commit: 'c0ffee',
      modified: true,
      measurements: [
        timesOf({ name: 'a', title: 'A', labels: { suite: 'b,"c"' } }, series),
        figuresOf({ name: 'rate', title: 'R', labels: { size: 7 } }, [5]),
      ],
    })
    const [head, one, other] = csv.split('\r\n')
    expect(head).toBe(
      'bench,name,size,suite,unit,value,low,high,rounds,samples,min,p50,p90,p99,p999,max,mean,' +
        'date,mode,commit,modified,cpu,cores,kernel,node,openssl,v8',
    )
    expect(one).toMatch(/^x,a,,"b,""c""",µs,2,,,1,3,1,2,/)
    const where = '2026-01-01T00:00:00.000Z,default,c0ffee,true,<b>CPU</b>,2,linux 6 x64,20,3,11'
    expect(other).toBe(`x,rate,7,,1/s,5,,,1,1,,,,,,,,${where}`)
    expect(one!.endsWith(where)).toBe(true)
  })

  it('variables that change what is measured are in the result', () => {
    vi.stubEnv('HOTPOTATO_STREAM', undefined)
    vi.stubEnv('HOTPOTATO_CHANNEL', undefined)
    vi.stubEnv('NODE_OPTIONS', undefined)
    expect(environment()).not.toHaveProperty('variables')
    vi.stubEnv('HOTPOTATO_STREAM', 'socket')
    expect(environment().variables).toEqual({ HOTPOTATO_STREAM: 'socket' })
    vi.unstubAllEnvs()
  })

  it('what is asked for alone is measured however busy the machine is, and drawn in --quick, too', () => {
    for (const only of ['open', 'stages', 'alpha']) {
      const { scenes, sweeps, only: asked } = ask('quick', { only, placement: 'one,two', channel: 'native' })
      const needed = scenes.slice(1).filter(scene => isNeeded(scene, asked))
      const expected = only === 'open' ? ['two cores'] : only === 'stages' ? ['one core'] : []
      expect(
        needed.map(({ placement }) => placement),
        only,
      ).toEqual(expected)
      for (const values of Object.values(sweeps)) expect(values.length).toBeGreaterThan(1)
    }
    const all = ask('quick', { placement: 'one,two' })
    expect(all.scenes.filter(scene => isNeeded(scene, all.only))).toEqual([])
  })

  it('modes exclude each other, numbers are numbers', () => {
    expect(readArguments({}, ['--quick', '--rounds', '3'])).toMatchObject({ mode: 'quick', rounds: 3 })
    for (const words of [
      ['--quick', '--full'],
      ['--rounds', '0'],
      ['--rounds', '1e3'],
      ['--nonsense'],
      ['--csv'],
    ])
      expect(() => readArguments({}, words), words.join(' ')).toThrow(OptionError)
  })
})
