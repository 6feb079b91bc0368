import { describe, expect, it } from 'vitest'
import { application } from '../../src/cli/serve/application.ts'
import type { HttpHandlers } from '../../src/http/serving.ts'
import { Scene, VERSIONS } from '../support/serving-scene.ts'

/** Takes the content and says how much there was. */
const counting: HttpHandlers = {
  request(request, response) {
    let bytes = 0
    request.content({
      data: ({ length }) => {
        bytes += length
      },
      end: () => response.reply({ status: 200, body: String(bytes) }),
      broken: () => {},
    })
  },
}

const upload = (expectation: string, path = '/') => ({
  method: 'POST',
  path,
  headers: [['expect', expectation] as const],
  body: [],
  ends: false,
})

describe.each(VERSIONS)('an expectation (RFC 9110 §10.1.1) over %s', version => {
  it.each(['100-continue', '100-Continue', '100-continue, 100-continue', '100-continue,', ' ,100-continue'])(
    '%s is met before any content comes',
    expectation => {
      const scene = new Scene(version, counting)
      const answer = scene.ask(upload(expectation.trim()))
      expect(answer).toMatchObject({ interim: [100], status: 0 })
      scene.more('hello')
      scene.more('')
      expect(answer).toMatchObject({ interim: [100], status: 200, body: '5', end: 'whole' })
      expect(answer.headers.connection).toBeUndefined()
    },
  )

  it('that is empty expects nothing', () => {
    const scene = new Scene(version, counting)
    const answer = scene.ask({ ...upload(''), body: ['ab'], ends: true })
    expect(answer).toMatchObject({ interim: [], status: 200, body: '2' })
  })

  it.each(['200-ok', '100-continue, other', '100-continue;q=1', 'x=100-continue'])(
    '%s cannot be met: 417',
    expectation => {
      const scene = new Scene(version, counting)
      expect(scene.ask(upload(expectation))).toMatchObject({ interim: [], status: 417 })
    },
  )

  it('is met by hotpotato serve, which gives back what comes, on a connection that goes on', () => {
    const scene = new Scene(version, application({}))
    const answer = scene.ask(upload('100-continue', '/echo'))
    expect(answer.interim).toEqual([100])
    scene.more('hello')
    expect(answer).toMatchObject({ status: 200, body: 'hello', end: undefined })
    scene.more('')
    expect(answer.end).toBe('whole')
    expect(answer.headers.connection).toBeUndefined()
    expect(scene.ask().body).toBe('hello\n')
  })

  it('is answered at once by hotpotato serve where the content is of no use', () => {
    const scene = new Scene(version, application({}))
    expect(scene.ask(upload('100-continue', '/tls'))).toMatchObject({
      interim: [],
      status: 405,
      end: 'whole',
    })
  })
})
