import { describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/http/h1/index.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { utf8 } from '../../src/wire/index.ts'
import { Scene, VERSIONS } from '../support/serving-scene.ts'

const begins: HttpHandlers['request'] = (request, response) => {
  request.content({ data: () => {}, end: () => {}, broken: () => {} })
  response.begin({ status: 200, headers: [], length: undefined })
  response.write(utf8('begun'))
}

describe.each(VERSIONS)('what goes wrong when a response has begun, over %s,', version => {
  it.each([
    ['content that stops', (scene: Scene) => scene.tick(60_000)],
    ['a client that breaks a rule', (scene: Scene) => scene.more('-'.repeat(10))],
  ])('cuts it off: %s', (_, happens) => {
    const limits = { http1: { ...DEFAULT_LIMITS, bodyBytes: 8 } }
    const scene = new Scene(version, { request: begins }, limits)
    const answer = scene.ask({ method: 'POST', body: ['1'], ends: false })
    expect(answer.body).toBe('begun')
    happens(scene)
    scene.tick(120_000)
    expect(answer).toMatchObject({ status: 200, end: 'cut' })
    expect(scene.faults.map(({ answerable }) => answerable)).toContain(false)
  })

  it('a reply whose content has another length than it says is answered with 500', () => {
    const request: HttpHandlers['request'] = (_, response) =>
      response.reply({ status: 200, headers: [['content-length', '3']], body: 'four' })
    const scene = new Scene(version, { request })
    expect(scene.ask()).toMatchObject({ status: 500, end: 'whole' })
    expect(scene.ask()).toMatchObject({ status: 500, end: 'whole' })
  })

  it('a function that is told that its content breaks off, and throws, loses no other its answer', () => {
    const request: HttpHandlers['request'] = (one, response) => {
      one.content({
        data: () => {},
        end: () => {},
        broken() {
          throw new Error('on purpose')
        },
      })
      response.reply({ status: 200, body: 'early' })
    }
    const scene = new Scene(version, { request })
    const answer = scene.ask({ method: 'POST', body: ['1'], ends: false })
    expect(answer).toMatchObject({ status: 200, body: 'early', end: 'whole' })
    expect(scene.faults).toMatchObject([{ kind: 'application', reason: 'on purpose', answerable: false }])
  })

  it('a request that was answered early and stops in the middle of a chunk is given up', () => {
    const scene = new Scene(version, { request: (_, response) => response.reply({ status: 404 }) })
    const answer = scene.ask({ method: 'POST', body: ['1'], ends: false })
    expect(answer).toMatchObject({ status: 404, end: 'whole' })
    if (version === 'http/1.1') scene.serving.receive(utf8('5'))
    scene.tick(60_000)
    expect(scene.serving.shouldClose).toBe(true)
  })
})
