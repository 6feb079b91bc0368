import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environmentOf } from '../support/platform.ts'
import { isInstalled, missing } from '../support/programs.ts'
import { NO_TERMINAL, Terminal } from '../support/terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const LACKING = [
  NO_TERMINAL,
  missing(isInstalled('curl', ['--version']), 'curl', 'curl'),
  missing(isInstalled('openssl', ['version']), 'openssl', 'openssl'),
].join('')

/** The commands of the blocks of a text, without what is said of them. */
function commandsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```(?:sh)?\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  return blocks
    .filter(block => /^(npm|npx|curl|openssl|#) /m.test(block))
    .flatMap(block => block.replaceAll('\\\n', '').split('\n'))
    .map(line => line.replace(/(^|\s)# .*$/, '').trim())
    .filter(line => line !== '')
}

const COMMANDS = commandsOf(README)
/** A command of the page, by how it begins: what is typed is what stands there. */
function said(beginning: string): string {
  const found = COMMANDS.find(one => one.startsWith(beginning))
  if (found === undefined) throw new Error(`README has no command that begins with ${beginning}`)
  return found
}

it('has the commands that are typed here, and those that CI runs as they stand', () => {
  const named = COMMANDS.map(one => /^(npx --no \S+ \S+|(\S+ ?){1,3})/.exec(one)![0].trim())
  expect(named).toEqual([
    'npm ci &&',
    'npm ci &&',
    'curl -si --cacert',
    'openssl s_client -connect',
    'npx --no hotpotato scale',
    'npx --no hotpotato status',
    'npx --no hotpotato move',
    'npx --no hotpotato deploy',
    'HOTPOTATO_DUPLICATE=true npm start',
    'npx --no hotpotato scale',
    'npx --no hotpotato status',
    // test/docs/first-function.test.ts types these.
    'npx --no hotpotato new',
    'npx --no hotpotato up',
    'echo ada |',
  ])
  const ci = readFileSync(join(ROOT, '.ci/run'), 'utf8')
  expect(ci).toMatch(/^[^#\n]*\bnpm ci /m)
  expect(ci).toMatch(/^npm test$/m)
  expect(ci).toMatch(/^npm run test:platform$/m)
})

describe.skipIf(LACKING !== '')(`README's commands, typed in a pseudo-terminal${LACKING}`, () => {
  /** As a checkout that is built, with certificates and a run directory of its own. */
  const folder = mkdtempSync(join(tmpdir(), 'hotpotato-readme-'))
  const { HOTPOTATO_RUN_DIR: _, HOTPOTATO_CERTS_DIR: __, ...environment } = environmentOf(folder)
  let platform: Terminal
  let shell: Terminal
  let client: Terminal
  let port = ''
  const here = (command: string): string => command.replaceAll('8443', port)

  beforeAll(async () => {
    for (const name of ['bin', 'package.json'])
      cpSync(join(ROOT, name), join(folder, name), { recursive: true })
    for (const name of ['dist', 'docs', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name))
    // A user is quick; a machine under load is not.
    const shipped = readFileSync(join(ROOT, 'hotpotato.yml'), 'utf8')
    const patient = shipped.replace(/^( +keepAlive:) \S+/m, '$1 300')
    expect(patient).not.toBe(shipped)
    writeFileSync(join(folder, 'hotpotato.yml'), patient)
    const open = () => Terminal.open(folder, environment)
    ;[platform, shell, client] = await Promise.all([open(), open(), open()])
    await start(said('npm ci && npm start').replace('npm ci && ', ''))
  })
  afterAll(async () => {
    await Promise.all([client, shell, platform].map(one => one?.close()))
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(command: string): Promise<void> {
    platform.type(command)
    const welcome = await platform.until(/Ctrl-C or .* ends everything\./)
    port = /https +\S+:(\d+)/.exec(welcome)![1]!
  }

  /** Opens the connection of step 2, and types a request. */
  async function open(): Promise<string> {
    client.type(here(said('openssl')))
    return ask('/echo')
  }

  /** Types a request by hand, as a user does. @returns the container that answers */
  async function ask(path: string): Promise<string> {
    for (const line of [`GET ${path} HTTP/1.1`, 'Host: echo.local', '']) client.type(line)
    const answer = await client.until(/x-hotpotato-container: \S+/)
    expect(answer).toMatch(/HTTP\/1\.1 200 OK/)
    return answer.split(' ').at(-1)!
  }

  /** The rows of a table of `status`, by their columns. */
  function table(text: string, first: string): Record<string, string>[] {
    const lines = text.split('\n')
    const at = lines.findIndex(line => line.startsWith(first))
    const columns = lines[at]!.split(/ {2,}/)
    const rows = lines.slice(at + 1)
    const end = rows.findIndex(line => !/ {2,}/.test(line))
    return rows.slice(0, end).map(row => {
      const cells = row.split(/ {2,}/)
      return Object.fromEntries(columns.map((name, index) => [name, cells[index] ?? '']))
    })
  }

  it('one connection is answered by two containers', async () => {
    const { status, said: text } = await shell.run(here(said('curl')))
    expect(status).toBe(0)
    expect(text.match(/(?<=x-hotpotato-container: )\S+/g)).toEqual(['echo-1', 'resize-1', 'echo-1'])
  })

  it('and so is one by hand, whose lines a terminal ends with LF', async () => {
    expect(await open()).toBe('echo-1')
    expect(await ask('/resize')).toBe('resize-1')
    expect(await ask('/echo')).toBe('echo-1')
  })

  it('that one is seen, and moved by the beginning of its id', async () => {
    expect(await shell.run(said('npx --no hotpotato scale'))).toMatchObject({ status: 0 })
    const listed = await shell.run(said('npx --no hotpotato status'))
    const [connection] = table(listed.said, 'CONNECTION')
    expect(connection).toMatchObject({ CONTAINER: 'echo-1', 'SERVER NAME': 'echo.local' })
    const id = connection!.CONNECTION!.slice(0, 8)
    const moved = await shell.run(said('npx --no hotpotato move').replace('CONNECTION', id))
    expect(moved.said).toMatch(/moved [0-9a-f]+ from echo-1 to echo-2/)
    expect(await ask('/echo')).toBe('echo-2')
  })

  it('it outlives a deploy and a drain', async () => {
    const { status, said: text } = await shell.run(said('npx --no hotpotato deploy'))
    expect(status).toBe(0)
    expect(text).toMatch(/started hello-2/)
    expect(text).toMatch(/moved 1 connection, ended echo-2/)
    expect(await ask('/echo')).toBe('echo-1')
  })

  it('and the kill of its container', async () => {
    platform.press('\x03')
    expect(await platform.prompt()).toMatchObject({ status: expect.any(Number) })
    await client.prompt()
    await start(said('HOTPOTATO_DUPLICATE'))
    expect(await shell.run(said('npx --no hotpotato scale'))).toMatchObject({ status: 0 })
    const before = await open()
    const [list, kill] = said('npx --no hotpotato status --connections;').split('; ')
    const listed = await shell.run(list!)
    expect(table(listed.said, 'CONNECTION')).toMatchObject([{ CONTAINER: before }])
    const process = table(listed.said, 'PROCESS').find(one => one.PROCESS === before)!
    expect(await shell.run(kill!.replace('PID', process.PID!))).toMatchObject({ status: 0 })
    expect(await ask('/echo')).toMatch(/^echo-[12]$/)
    expect(await shell.run('npm stop')).toMatchObject({ status: 0 })
    await platform.prompt()
  })
})
