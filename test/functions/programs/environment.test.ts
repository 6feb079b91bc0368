import { describe, expect, it } from 'vitest'
import { requestVariables } from '../../../src/functions/programs/environment.ts'
import { inheritedByPrograms } from '../../../src/functions/programs/process.ts'
import type { Field } from '../../../src/http/message.ts'

const told = (fields: readonly Field[], more: object = {}) =>
  requestVariables({
    method: 'POST',
    path: '/a',
    query: '',
    host: 'app.local',
    fields,
    length: 3,
    ...more,
  })

describe('the variables of a request', () => {
  it('are those of the classic watchdog', () => {
    const fields = [
      ['content-type', 'text/plain'],
      ['X-Call-ID', 'c1'],
      ['x-call-id', 'second'],
      ['Transfer-Encoding', 'chunked'],
    ] as const
    expect(told(fields, { query: 'b=c&d=%20', length: 0 })).toEqual({
      Http_Content_Type: 'text/plain',
      Http_X_Call_Id: 'c1',
      Http_Transfer_Encoding: 'chunked',
      Http_Method: 'POST',
      Http_ContentLength: '0',
      Http_Content_Length: '0',
      Http_Path: '/a',
      Http_Query: 'b=c&d=%20',
      Http_Host: 'app.local',
    })
  })

  it.each([
    ['/a%20b/%C3%A4', '/a b/ä'],
    ['/a%00b', '/a%00b'],
    ['/a%ff', '/a%ff'],
  ])('have the path decoded, if that is text: %s', (path, text) => {
    expect(told([], { path }).Http_Path).toBe(text)
  })

  it('are not those that a client could pass off as others, or that libraries obey', () => {
    const fields = [
      ['Proxy', 'http://evil'],
      ['PROXY', 'http://evil'],
      ['X_User', 'evil'],
      ['X-User', 'good'],
      ['x.y', 'evil'],
      ['method', 'evil'],
      ['path', '/evil'],
    ] as const
    const variables = told(fields)
    expect(JSON.stringify(variables)).not.toContain('evil')
    expect(variables.Http_X_User).toBe('good')
    expect(variables.Http_Method).toBe('POST')
  })
})

it('a program inherits the few names that it needs', () => {
  const environment = {
    PATH: '/bin',
    HOME: '/h',
    LC_ALL: 'C',
    TZ: 'UTC',
    NODE_OPTIONS: '-r x',
    SSLKEYLOGFILE: '/keys',
    LD_PRELOAD: '/x.so',
    HOTPOTATO_STREAM: 'raw',
    AWS_SECRET: 'x',
  }
  expect(inheritedByPrograms(environment)).toEqual({ PATH: '/bin', HOME: '/h', LC_ALL: 'C', TZ: 'UTC' })
})
