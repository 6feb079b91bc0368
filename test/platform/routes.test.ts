import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAddress, normaliseHost, normalisePattern, Routes } from '../../src/platform/routes.ts'

describe('normaliseHost', () => {
  it.each([
    ['echo.local', 'echo.local'],
    ['ECHO.Local', 'echo.local'],
    ['echo.local.', 'echo.local'],
    ['a_b.xn--bcher-kva.example', 'a_b.xn--bcher-kva.example'],
    ['localhost', 'localhost'],
    [`${'a'.repeat(63)}.local`, `${'a'.repeat(63)}.local`],
  ])('spells %j as %j', (name, host) => {
    expect(normaliseHost(name)).toBe(host)
  })

  it('takes 253 bytes and no more', () => {
    const label = `${'a'.repeat(49)}.`
    expect(normaliseHost(`${label.repeat(5)}abc`)).toHaveLength(253)
    expect(normaliseHost(`${label.repeat(5)}abc.`)).toHaveLength(253)
    expect(normaliseHost(`${label.repeat(5)}abcd`)).toBeUndefined()
  })

  it.each([
    ...[
      '',
      '.',
      '..',
      '.local',
      'a..b',
      'a.local..',
      'a b',
      'a\0.local',
      'a.local\0',
      'a.local\n',
      '*.a.local',
      'a.local:80',
    ],
    ...[
      '127.0.0.1',
      '127.1',
      '0x7f.1',
      '0x7f000001',
      '2130706433',
      '[::1]',
      '::1',
      'a.5',
      '127.0.0.1.',
      'bücher.local',
    ],
    // The Kelvin sign becomes k in lower case.
    ...['\u212a.local', `${'a'.repeat(64)}.local`, 'user@a.local', 'a/b', 'a%2eb'],
  ])('refuses %j', name => {
    expect(normaliseHost(name)).toBeUndefined()
  })

  it('gives the same again, or nothing', () => {
    const name = fc.oneof(
      fc.string(),
      fc.domain(),
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[a-cA-C.\-_0-9]{1,9}$/),
    )
    fc.assert(
      fc.property(name, text => {
        const host = normaliseHost(text)
        if (host !== undefined) expect(normaliseHost(host)).toBe(host)
      }),
    )
  })

  it('takes a star for a first label of a pattern alone', () => {
    expect(normalisePattern('*.Echo.local.')).toBe('*.echo.local')
    for (const pattern of ['*', '*.', '**.a', 'a.*.b', '*a.b', '*.127.0.0.1', '*.*.a'])
      expect(normalisePattern(pattern)).toBeUndefined()
  })

  it('knows addresses', () => {
    for (const host of ['127.0.0.1', '[::1]', '1', '0x1.', 'a.0xff']) expect(isAddress(host)).toBe(true)
    for (const host of ['1a', 'a1.b', '1.a', 'x0x1', '']) expect(isAddress(host)).toBe(false)
  })
})

describe('Routes', () => {
  const table = [
    { host: 'echo.local', function: 'echo' },
    { host: '*.echo.local', function: 'wild' },
    { host: 'Exact.Echo.local', function: 'exact' },
    { host: '*.deep.echo.local', function: 'deep' },
  ]
  const routes = new Routes(table, 'fallback')
  const strict = new Routes(table)

  it.each([
    ['echo.local', 'echo', 'exact'],
    ['ECHO.LOCAL.', 'echo', 'exact'],
    ['a.echo.local', 'wild', 'wildcard'],
    ['a.b.echo.local', 'wild', 'wildcard'],
    ['exact.echo.local', 'exact', 'exact'],
    ['a.exact.echo.local', 'wild', 'wildcard'],
    ['deep.echo.local', 'wild', 'wildcard'],
    ['a.deep.echo.local', 'deep', 'wildcard'],
    ['a.b.deep.echo.local', 'deep', 'wildcard'],
  ])('leads %s to %s', (name, target, by) => {
    expect(routes.find(name)).toEqual({ function: target, by })
    expect(strict.find(name)).toEqual({ function: target, by })
  })

  it('takes localhost for the name of an address, unless an entry has it', () => {
    for (const name of ['localhost', 'LocalHost', 'localhost.'])
      expect(routes.find(name)).toEqual({ function: 'fallback', by: 'default' })
    expect(routes.find('other.localhost')).toBeUndefined()
    expect(new Routes([]).find('localhost')).toBeUndefined()
    const own = new Routes([{ host: 'localhost', function: 'own' }], 'echo')
    expect(own.find('localhost')).toEqual({ function: 'own', by: 'exact' })
  })

  it.each(['other.local', 'xecho.local', 'local'])('leads the unknown name %s nowhere', name => {
    expect(routes.find(name)).toBeUndefined()
    expect(strict.find(name)).toBeUndefined()
  })

  it.each([undefined, '', '127.0.0.1', '[::1]'])('leads %s to the default', name => {
    expect(routes.find(name)).toEqual({ function: 'fallback', by: 'default' })
    expect(strict.find(name)).toBeUndefined()
  })

  it.each(['a\0.echo.local', 'a..echo.local', '.echo.local', `${'a.'.repeat(130)}echo.local`])(
    'leads %j nowhere',
    name => {
      expect(routes.find(name)).toBeUndefined()
    },
  )

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__.echo.local'])(
    'finds no entry %s',
    name => {
      expect(new Routes([{ host: 'echo.local', function: 'echo' }]).find(name)).toBeUndefined()
    },
  )

  it('leads the same name the same way again, whatever was asked for between', () => {
    const asked = [
      undefined,
      'echo.local',
      'echo.local',
      'other.local',
      'other.local',
      undefined,
      'echo.local',
    ]
    const names = asked.map(name => routes.find(name)?.function)
    expect(names).toEqual(['fallback', 'echo', 'echo', undefined, undefined, 'fallback', 'echo'])
    expect(new Routes([]).find(undefined)).toBeUndefined()
  })

  it('refuses a host that is none, or that belongs to two functions', () => {
    expect(() => new Routes([{ host: '127.0.0.1', function: 'a' }])).toThrow(RangeError)
    const twice = ['a', 'b'].map(name => ({ host: '*.x.local', function: name }))
    expect(() => new Routes(twice)).toThrow('*.x.local leads to both a and b')
    expect(() => new Routes([twice[0]!, twice[0]!])).not.toThrow()
  })
})
