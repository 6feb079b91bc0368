import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { stackSchema } from '../../src/stack/schema.ts'
import { hotpotato } from '../support/platform.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-config-'))
afterAll(() => rmSync(directory, { recursive: true }))
const write = (text: string) => writeFileSync(join(directory, 'hotpotato.yml'), text)

it('config print shows all there is, and where it comes from', async () => {
  write('functions: { echo: { lnag: x } }')
  const { code, stdout, stderr } = await hotpotato(directory, ['config', 'print', '--resolved'])
  expect(code).toBe(0)
  expect(stderr).toMatch(
    /^note: \S+yml:1:22: functions\.echo\.lnag is unknown and ignored; did you mean lang/,
  )
  expect(stdout).toContain('\n  https: 0 # HOTPOTATO_HTTPS_PORT\n')
  expect(stdout).toContain('\n    handler: 1m # default\n')
  expect(parse(stdout).functions.echo.hosts).toEqual(['echo.local', 'echo.localhost'])
})

it('config print gives JSON to programs', async () => {
  const { stdout: json } = await hotpotato(directory, ['config', 'print', '--resolved', '--json'])
  expect(JSON.parse(json)).toMatchObject({
    config: { gateway: { https: 0 } },
    from: { 'gateway.https': 'HOTPOTATO_HTTPS_PORT', 'functions.echo.handler': 'default' },
  })
})

it('config check judges as a start would', async () => {
  write('functions: { echoo: {} }')
  const { code, stdout, stderr } = await hotpotato(directory, ['config', 'check'])
  expect([code, stdout]).toEqual([3, ''])
  expect(stderr).toMatch(/^\S+yml:1:14: functions\.echoo\.handler: there is no .*; did you mean echo\? \(/)
})

it('config schema prints what editors are told', async () => {
  const { stdout } = await hotpotato(directory, ['config', 'schema'])
  expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(stackSchema())))
})
