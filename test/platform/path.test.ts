import { describe, expect, it } from 'vitest'
import { ownerOfPath } from '../../src/platform/path.ts'

describe('ownerOfPath', () => {
  const known = new Set(['echo', 'resize', 'a-b'])

  it.each([
    ['/echo', 'echo', '/'],
    ['/echo/', 'echo', '/'],
    ['/echo/a/b', 'echo', '/a/b'],
    ['/echo//a', 'echo', '//a'],
    ['/echo/../resize', 'echo', '/../resize'],
    ['/function/echo', 'echo', '/'],
    ['/function/echo/a', 'echo', '/a'],
    ['/function/echo/function/resize', 'echo', '/function/resize'],
    ['/a-b/x', 'a-b', '/x'],
  ])('finds in %s %s and %s', (path, name, functionPath) => {
    expect(ownerOfPath(path, known)).toEqual({ functionName: name, functionPath })
  })

  it.each([
    ...[
      '',
      '/',
      '*',
      'echo',
      '//echo',
      '/Echo',
      '/echoes',
      '/%65cho',
      '/other/echo',
      '/function',
      '/function/',
      '/function/other',
    ],
    ...['/function//echo', '/__proto__', '/constructor/x', '/function/__proto__', '/toString'],
  ])('finds nothing in %s', path => {
    expect(ownerOfPath(path, known)).toBeUndefined()
    expect(ownerOfPath(path, new Set([...known]))).toBeUndefined()
  })

  it('can serve a function that is called function', () => {
    const names = new Set(['function', 'echo'])
    expect(ownerOfPath('/function/x', names)).toEqual({ functionName: 'function', functionPath: '/x' })
    expect(ownerOfPath('/function/echo', names)).toEqual({ functionName: 'echo', functionPath: '/' })
    expect(ownerOfPath('/function/function', names)).toEqual({ functionName: 'function', functionPath: '/' })
  })
})
