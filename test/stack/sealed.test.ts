import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/stack/config.ts'
import { confinement } from '../../src/stack/confinement.ts'

const read = (one: string) => {
  const { config } = parseConfig(`functions: { app: ${one}, other: { handler: ./other.mjs } }`, '/base')
  return { one: config.functions.get('app')!, config }
}

describe('a sealed function', () => {
  it.each(['', 'lang: node22,', 'lang: python3,', 'lang: python3-http,'])(
    'is its bundle, and neither a program nor a folder: %s',
    lang => {
      const { one, config } = read(`{ ${lang} isolation: sandbox, sealed: { bundle: ./vault.potato } }`)
      expect([one.sealed?.bundle, one.program, one.handler]).toEqual(['/base/vault.potato', undefined, 'app'])
      expect(confinement(one, config)).toMatchObject({ made: [], hidden: [], connects: false })
      expect(one.sealedFork === undefined).toBe(!lang.includes('python'))
    },
  )

  it.each(['handler: a.mjs', 'command: cat', 'mode: http', 'pool: 2', 'ready: /x', 'lang: dockerfile'])(
    'has no %s',
    key => {
      expect(() => read(`{ ${key}, sealed: { bundle: vault.potato } }`)).toThrow(/is sealed/)
    },
  )

  it.each(['cacheSeconds: 2h', 'warm: 17', 'warm: -1'])('has bounds: %s', key => {
    expect(() => read(`{ sealed: { bundle: vault.potato, ${key} } }`)).toThrow(/sealed\.(cacheSeconds|warm)/)
  })

  it('in Python has what the classic watchdog is told', () => {
    const { one } = read(`{ lang: python3, environment: { exec_timeout: 5s, content_type: text/x },
      sealed: { bundle: vault.potato } }`)
    expect(one.sealedFork).toMatchObject({ contentType: 'text/x', cgiHeaders: true })
  })
})
