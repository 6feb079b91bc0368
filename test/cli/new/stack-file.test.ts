import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { StackFile } from '../../../src/cli/new/stack-file.ts'

const SHIPPED = readFileSync(fileURLToPath(new URL('../../../hotpotato.yml', import.meta.url)), 'utf8')
const ENTRY = { lang: 'fetch', handler: './greet' }
const lines = '  greet:\n    lang: fetch\n    handler: ./greet\n'

describe('a stack file', () => {
  it('gets a function, and keeps all else to the letter', () => {
    const text = new StackFile(SHIPPED, 'x.yml').with('greet', ENTRY)
    expect(text).toBe(`${SHIPPED}${lines}`)
    expect(new StackFile(text, 'x.yml').without('greet')).toBe(SHIPPED)
  })

  it.each([
    ['nothing', '', `functions:\n${lines}`],
    ['other keys', 'version: 1 # one', `version: 1 # one\nfunctions:\n${lines}`],
    ['no end of line', 'functions:\n  a: {}', `functions:\n  a: {}\n${lines}`],
    [
      'a comment behind',
      'functions:\n  a: {} # of a\n# end\n',
      `functions:\n  a: {} # of a\n${lines}# end\n`,
    ],
    ['keys behind', 'functions:\n  a: {}\n\ntrust: []\n', `functions:\n  a: {}\n${lines}\ntrust: []\n`],
    ['a function without a word', 'functions:\n  a:\ntrust: []\n', `functions:\n  a:\n${lines}trust: []\n`],
    [
      'a function in lines',
      'functions:\n  a:\n    hosts: [a.b] # its\n    # last\n',
      `functions:\n  a:\n    hosts: [a.b] # its\n${lines}    # last\n`,
    ],
  ])('that has %s gets one', (_what, before, after) => {
    expect(new StackFile(before, 'x.yml').with('greet', ENTRY)).toBe(after)
    expect(parse(after).functions.greet).toEqual(ENTRY)
  })

  it.each(['functions: { a: {} } # few\n', 'functions:\n', 'functions: {}\n'])(
    'of another form gets one as the parser writes it: %j',
    before => {
      const after = new StackFile(before, 'x.yml').with('greet', ENTRY)
      expect(Object.keys(parse(after).functions).at(-1)).toBe('greet')
      expect(after.includes('# few')).toBe(before.includes('# few'))
    },
  )

  it.each([
    ['the first', 'functions:\n  # of a\n  a: {}\n  b:\n    hosts: []\n', 'a', ['b']],
    ['the last', 'functions:\n  a: {}\n  b:\n    hosts: []\n\n# end\ntrust: []\n', 'b', ['a']],
    ['one in braces', 'functions: { a: {}, b: {} }\n', 'a', ['b']],
  ])('loses %s', (_what, before, name, left) => {
    const after = new StackFile(before, 'x.yml').without(name)
    expect(new StackFile(after, 'x.yml').functions).toEqual(left)
    if (before.includes('# end')) expect(after).toContain('# end')
  })

  it('that is no YAML says so in one line', () => {
    expect(() => new StackFile('a: [', 'x.yml')).toThrow(/^.{5,200}$/)
  })
})
