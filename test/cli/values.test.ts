import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { checkValues } from '../../src/cli/up/values.ts'
import { parseConfig } from '../../src/stack/config.ts'
import { ConfigError } from '../../src/stack/readers.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-values-'))
afterAll(() => rmSync(directory, { recursive: true }))
mkdirSync(join(directory, 'empty'))
const check = (text: string) => checkValues(parseConfig(text, directory), 'node')

it('takes what is there: a shipped function, a module, a file of authorities, known groups', async () => {
  for (const name of ['mine.mjs', 'ca.crt']) writeFileSync(join(directory, name), '')
  const mine = 'mine: { handler: ./mine.mjs, clientAuthorities: ca.crt }'
  await check(`functions: { echo: , ${mine} }\ntls: { groups: [x25519, X25519MLKEM768] }`)
})

it.skipIf(process.geteuid?.() === 0)(
  'refuses a module that its user may not read (SKIPPED as root)',
  async () => {
    writeFileSync(join(directory, 'shut.mjs'), '', { mode: 0 })
    const shut = check('functions: { a: { handler: ./shut.mjs } }')
    await expect(shut).rejects.toThrow(/1:\d+: functions\.a\.handler: .*shut\.mjs cannot be read \(EACCES\)$/)
  },
)

it.each([
  ['functions:\n  ecko:', '2:3: functions.ecko.handler: there is no function "ecko"; did you mean echo? ('],
  [
    'functions:\n  a:\n    lang: python3\n    handler: ./empty',
    `4:14: functions.a.handler: there is no handler.py in the folder ${directory}/empty`,
  ],
  [
    'functions:\n  a:\n    lang: golang-http\n    handler: ./empty',
    '4:14: functions.a.handler: there is no function in the folder ',
  ],
  [
    'functions:\n  a:\n    lang: golang-http\n    handler: ./empty',
    'lang: golang-http does not run here, as fetch, ',
  ],
  ['functions:\n  a:\n    handler: ./gone.mjs', '3:14: functions.a.handler: '],
  ['functions:\n  echo:\n    clientAuthorities: gone.crt', '3:24: functions.echo.clientAuthorities: '],
  [
    'functions:\n  echo:\n    clientAuthorities: empty',
    `3:24: functions.echo.clientAuthorities: ${directory}/empty is a folder, and a file is needed here`,
  ],
  [
    'functions:\n  a:\n    sealed: { bundle: empty }',
    `3:23: functions.a.sealed.bundle: ${directory}/empty is a folder, and a file is needed here`,
  ],
  [
    'functions: { echo: }\ntls:\n  groups:\n    - x25519\n    - x25591',
    '5:7: tls.groups.1: x25591 is not a group; known are ',
  ],
])('names the place of what is not there: %j', async (text, message) => {
  const error: unknown = await check(text).catch((one: unknown) => one)
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as Error).message).toContain(/^\d/.test(message) ? `hotpotato.yml:${message}` : message)
})
