import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { loadAll } from '../../src/cli/line/command.ts'
import { readCommandLine } from '../../src/cli/line/command-line.ts'
import { failureOf } from '../../src/cli/line/failure.ts'
import { ENDS, helpFor } from '../../src/cli/line/help.ts'
import { STATUS } from '../../src/cli/line/usage-error.ts'
import { TABLE } from '../../src/cli/table.ts'
import { environmentOf, eventually, MAIN } from '../support/platform.ts'
import { NO_TERMINAL, Terminal } from '../support/terminal.ts'

/*
 * With which status commands end, against what their help says. Others have a look at the statuses of single
 * commands: command.test.ts at those of mistakes and of `up`, stress.test.ts, functions.test.ts.
 */

const every = (await loadAll(TABLE)).flatMap(({ commands }) => commands)

it('each command says in its help which statuses there are', () => {
  for (const one of every) expect(helpFor(one)).toContain(ENDS)
  for (const status of Object.values(STATUS)) expect(ENDS).toMatch(new RegExp(`\\b${status}\\b`))
})

it.each(every)('$name refuses what it does not know, with status 2', async ({ name, options, words }) => {
  const lines = [
    [name, '--no-such-option'],
    ...(words.most < 10 ? [[name, ...Array.from({ length: words.most + 1 }, () => 'x')]] : []),
    // An option without its value.
    ...Object.entries(options)
      .filter(([, { kind }]) => kind !== 'switch')
      .map(([option]) => [name, `--${option}`]),
  ]
  for (const line of lines) {
    const error: unknown = await readCommandLine(line, {}, TABLE).catch((reason: unknown) => reason)
    const { status, said } = failureOf(error)
    expect([line, status, String(said).split('\n').length]).toEqual([line, STATUS.usage, 1])
  }
})

describe('a signal ends it', () => {
  let directory: string
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-ends-'))
    writeFileSync(join(directory, 'hotpotato.yml'), 'functions: { echo: }\n')
    writeFileSync(join(directory, 'said.mjs'), "export default () => new Response('said')\n")
    mkdirSync(join(directory, 'run'))
    writeFileSync(join(directory, 'run', 'hotpotato.log'), '{"level":30,"name":"echo-1","msg":"logged"}\n')
    const certificates = [{ name: 'echo', hosts: ['localhost'] }]
    await makeCertificates({ directory: join(directory, 'certs'), certificates, now: Date.now() })
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it.each([
    ['serve --cert certs/echo.crt --key certs/echo.key --port 0', /listening/, 0, 0],
    ['local-run ./said.mjs', /Ctrl-C/, 0, 0],
    ['logs -f', /logged/, 130, 143],
    // It waits for standard input.
    ['secret create one', undefined, 130, 143],
  ])('%s', async (line, until, atInterrupt, atEnd) => {
    const ended = async (signal: 'SIGINT' | 'SIGTERM'): Promise<number> => {
      const child = spawn(process.execPath, [MAIN, ...line.split(' ')], {
        cwd: directory,
        env: environmentOf(directory),
      })
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (until?.test(said) === true) child.kill(signal)
      })
      if (until === undefined) child.once('spawn', () => child.kill(signal))
      const [code, by] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
      return code ?? 128 + constants.signals[by!]
    }
    expect(await Promise.all([ended('SIGINT'), ended('SIGTERM')])).toEqual([atInterrupt, atEnd])
  })

  // What is a terminal then is none any more at the end: Node gives none its settings back, and what was
  // loaded beside it writes out what it has.
  const [serve, run] = ['serve --cert certs/echo.crt --key certs/echo.key --port 0', 'local-run ./said.mjs']
  it.skipIf(NO_TERMINAL).each([
    [`${serve} | cat >said`, /listening/, 0],
    [`${serve} < /dev/null | cat >said`, /listening/, 0],
    [`${serve} 2>said`, undefined, 0],
    [serve, undefined, 0],
    [`${run} | cat >said`, /Ctrl-C/, 0],
    ['logs -f | cat >said', /logged/, 129],
    ['logs -f', undefined, 129],
  ])(`%s: its terminal is closed${NO_TERMINAL}`, async (line, until, status) => {
    const [said, ended] = [join(directory, 'said'), join(directory, 'ended')]
    for (const file of [said, ended]) rmSync(file, { force: true })
    const terminal = await Terminal.open(directory, environmentOf(directory))
    // This shell outlives the terminal, and says how the command ended.
    const whole = `"${process.execPath}" "${MAIN}" ${line}; echo "${'$'}{PIPESTATUS[0]}" >ended`
    terminal.type(`bash -c 'trap : HUP; ${whole}'`)
    if (until === undefined) await terminal.until(/listening|logged/)
    else await eventually(() => (textOf(said).match(until) !== null ? true : undefined), 'it does not begin')
    await terminal.close()
    await eventually(() => (textOf(ended) === '' ? undefined : true), 'it has not ended')
    expect(textOf(ended)).toBe(`${status}\n`)
  })
})

const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')
