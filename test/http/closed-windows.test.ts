import { describe, expect, it } from 'vitest'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { Scene, VERSIONS } from '../support/serving-scene.ts'

const LENGTH = 3_000_000
const PIECE = new Uint8Array(65_536).fill(0x61)
const BYTES = new Uint8Array(LENGTH).fill(0x61)

describe.each(VERSIONS)('a client over %s that takes nothing', version => {
  it('holds back an application that waits', async () => {
    let written = 0
    const request: HttpHandlers['request'] = async (_, response) => {
      response.begin({ status: 200, headers: [], length: LENGTH })
      for (let left = LENGTH; left > 0; left -= PIECE.length) {
        written += PIECE.length
        await response.write(PIECE.subarray(0, left))
      }
      response.end()
    }
    const scene = new Scene(version, { request })
    scene.taking = false
    const answer = scene.ask()
    for (let i = 0; i < 10; i++) await scene.settle()
    expect(written).toBeLessThanOrEqual(4 * PIECE.length)
    scene.taking = true
    scene.run()
    while (answer.end === undefined) await scene.settle()
    expect(answer).toMatchObject({ status: 200, end: 'whole' })
    expect(answer.body.length).toBe(LENGTH)
  })

  it('gets a whole reply that is not a copy', () => {
    const sent: Uint8Array[] = []
    const scene = new Scene(version, {
      request: (_, response) => response.reply({ status: 200, body: BYTES }),
    })
    const { serving } = scene
    const takeOutput = serving.takeOutput.bind(serving)
    serving.takeOutput = () => {
      const out = takeOutput()
      sent.push(...out)
      return out
    }
    const answer = scene.ask()
    expect(answer.body.length).toBe(LENGTH)
    if (version === 'http/1.1') expect(sent.some(({ buffer }) => buffer === BYTES.buffer)).toBe(true)
    else expect(Math.max(...sent.map(({ length }) => length))).toBeLessThan(2 * 65_536)
  })

  it('gets a reply whole when it takes it at last', () => {
    const scene = new Scene(version, {
      request: (_, response) => response.reply({ status: 200, body: BYTES }),
    })
    scene.taking = false
    const answers = [scene.ask(), scene.ask()]
    scene.taking = true
    scene.run()
    for (const { body, end } of answers) expect([body.length, end]).toEqual([LENGTH, 'whole'])
  })
})
