import { describe, expect, it } from 'vitest'
import { kindOf, resolveIn } from '../../../src/functions/sealed/resolution.ts'
import { utf8 } from '../../../src/wire/index.ts'

const files = (all: Readonly<Record<string, string>>) =>
  new Map(Object.entries(all).map(([path, text]) => [path, utf8(text)]))

const bundle = files({
  'index.mjs': '',
  'lib/a.js': '',
  'lib/index.js': '',
  'data.json': '{}',
  'node_modules/plain/package.json': '{"main":"./main.cjs"}',
  'node_modules/plain/main.cjs': '',
  'node_modules/plain/extra.js': '',
  'node_modules/@scope/esm/package.json':
    '{"type":"module","exports":{".":{"types":"./x.d.ts","import":"./dist/i.js"},"./sub":"./dist/sub.js"}}',
  'node_modules/@scope/esm/dist/i.js': '',
  'node_modules/@scope/esm/dist/sub.js': '',
  'node_modules/@scope/esm/hidden.js': '',
})

describe('a module of a bundle finds', () => {
  it.each([
    ['./lib/a.js', 'index.mjs', 'lib/a.js'],
    ['./lib/a', 'index.mjs', 'lib/a.js'],
    ['./lib', 'index.mjs', 'lib/index.js'],
    ['../data.json', 'lib/a.js', 'data.json'],
    ['.', 'lib/a.js', 'lib/index.js'],
    ['plain', 'lib/a.js', 'node_modules/plain/main.cjs'],
    ['plain/extra', 'index.mjs', 'node_modules/plain/extra.js'],
    ['@scope/esm', 'index.mjs', 'node_modules/@scope/esm/dist/i.js'],
    ['@scope/esm/sub', 'node_modules/plain/main.cjs', 'node_modules/@scope/esm/dist/sub.js'],
  ])('%s from %s', (specifier, from, path) => {
    expect(resolveIn(bundle, specifier, from)).toBe(path)
  })

  it.each([
    '../outside',
    './missing',
    '/etc/passwd',
    'file:///etc/passwd',
    '@scope/esm/hidden.js',
    'absent',
    '',
  ])('no %j', specifier => {
    expect(() => resolveIn(bundle, specifier, 'index.mjs')).toThrow('the bundle has no')
  })

  it.each([
    ['index.mjs', 'module'],
    ['lib/a.js', 'module'],
    ['data.json', 'json'],
    ['node_modules/plain/main.cjs', 'commonjs'],
    ['node_modules/plain/extra.js', 'commonjs'],
    ['node_modules/@scope/esm/dist/i.js', 'module'],
    ['README.md', 'text'],
  ])('that %s is a %s', (path, kind) => {
    expect(kindOf(bundle, path)).toBe(kind)
  })
})
