import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LONG } from '../support/long.ts'
import {
  type CommandResult,
  environmentOf,
  eventually,
  hotpotato,
  MAIN,
  Platform,
} from '../support/platform.ts'
import { NO_TERMINAL, Terminal } from '../support/terminal.ts'

/* One platform, which users ask and change from their shells: in pipes, and on a terminal. */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
queue: { enabled: true }
functions:
  echo: { replicas: { min: 1, max: 2 }, environment: { TOKEN: not-to-be-shown }, labels: { team: blue } }
  hello: { hosts: [] }
  said: { handler: ./said.mjs, accessLog: json }
`
const SAID = `
console.log('loaded')
export default {
  async fetch(request, env, ctx) {
    console.log('asked ' + ctx.functionPath)
    if (ctx.functionPath === '/fails') return new Response('no\\n', { status: 503 })
    const { search } = new URL(request.url)
    const body = await request.text()
    return Response.json({ method: request.method, search, body, x: request.headers.get('x-one') })
  },
}
`
let platform: Platform
beforeAll(async () => {
  const certificates = ['echo', 'hello', 'said'].map(name => ({ name, hosts: [`${name}.local`] }))
  platform = await Platform.start({ config: CONFIG, files: { 'said.mjs': SAID }, certificates })
})
afterAll(async () => {
  await platform?.stop()
})

/** A command as it is written, for this platform. */
const run = (line: string): Promise<CommandResult> => hotpotato(platform.directory, line.split(' '))

/** The same with standard input. */
async function fed(input: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: platform.directory,
    env: environmentOf(platform.directory),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

describe('in a pipe', () => {
  it('list names the functions, in a table, alone, or as JSON', async () => {
    const [table, names, json] = await Promise.all(['list', 'list -q', 'list --json'].map(run))
    expect(table!.stdout).toMatch(/^FUNCTION +REPLICAS +READY .*\necho +1 +1 /)
    expect(names!.stdout).toBe('echo\nhello\nsaid\n')
    expect(JSON.parse(json!.stdout)).toMatchObject([
      { name: 'echo', max: 2 },
      { name: 'hello' },
      { name: 'said' },
    ])
  })

  it('describe tells of one function, and no value of its variables', async () => {
    const [people, json, none] = await Promise.all(
      ['describe echo', 'describe echo --json', 'describe nobody'].map(run),
    )
    expect(people!.stdout).toMatch(/^environment +TOKEN$/m)
    expect(people!.stdout).toMatch(/^CONTAINER .*\necho-1 +ready /m)
    expect(people!.stdout + json!.stdout).not.toContain('not-to-be-shown')
    expect(JSON.parse(json!.stdout)).toMatchObject({
      name: 'echo',
      labels: { team: 'blue' },
      urls: [`https://echo.local:${platform.https}/`, expect.anything(), expect.anything()],
      containers: [{ name: 'echo-1' }],
    })
    expect(none).toMatchObject({ code: 1, stdout: '' })
    expect(none!.stderr).toBe('there is no function nobody; there are echo, hello, said\n')
  })

  it('says of a name that nothing can have, in one line, whatever command it is given to', async () => {
    const names = ['../x', 'nö', 'x'.repeat(300)]
    const commands = ['describe', 'deploy', 'remove', 'drain', 'status', 'logs', 'invoke', 'scale']
    // A process for each: in a short run a command has one of the names, and each name some commands.
    const lines = commands.flatMap((command, at) =>
      (LONG ? names : [names[at % names.length]!]).map(name => [
        command,
        name,
        ...(command === 'scale' ? ['1'] : []),
      ]),
    )
    for (const words of lines) {
      const { code, stdout, stderr } = await hotpotato(platform.directory, words)
      expect([code, stdout], words.join(' ')).toEqual([1, ''])
      expect(stderr).toMatch(
        /^(there is no function|nothing here can have the name "(\.\.\/x|nö|x{300})": )[^\n]*\n$/,
      )
    }
    expect(await hotpotato(platform.directory, ['deploy', ''])).toMatchObject({ code: 1 })
  })

  it('invoke sends what it reads, and prints the answer and nothing else', async () => {
    const [over, clear, asked, byPath] = await Promise.all([
      fed('what is sent', 'invoke', 'said'),
      fed('', 'invoke', 'said', '--clear', '--data', 'given', '-H', 'x-one: a,b', '--path', '/x?y=1'),
      fed('', 'invoke', 'said', '-X', 'GET', '-i'),
      fed('', 'invoke', 'hello', '-X', 'GET'),
    ])
    expect(over).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(over.stdout)).toEqual({ method: 'POST', search: '', body: 'what is sent', x: null })
    expect(JSON.parse(clear.stdout)).toEqual({ method: 'POST', search: '?y=1', body: 'given', x: 'a,b' })
    expect(asked.stdout).toMatch(/^HTTP\/1.1 200 OK\n(.+\n)+\n\{"method":"GET".*\}$/)
    // It has no host of its own.
    expect(byPath).toEqual({ code: 0, stdout: 'Hello, world!\n', stderr: '' })
  })

  it('invoke ends with status 1 where the answer is an error, and says it beside the answer', async () => {
    const [bad, none] = await Promise.all([
      fed('', 'invoke', 'said', '--path', '/fails'),
      fed('', 'invoke', 'nobody'),
    ])
    expect(bad).toEqual({
      code: 1,
      stdout: 'no\n',
      stderr: 'hotpotato: said answered 503 Service Unavailable\n',
    })
    expect(none).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no function nobody') })
  })

  it('invoke says of a function, or a host, that only the stack file knows so far what to do', async () => {
    const later = `${CONFIG.replace('hosts: []', 'hosts: [fresh.local]')}  later: { handler: hello }\n`
    writeFileSync(join(platform.directory, 'later.yml'), later)
    const [function_, host] = await Promise.all(
      ['later', 'hello'].map(name => fed('', 'invoke', name, '--insecure', '--config', 'later.yml')),
    )
    const reload = `HOTPOTATO_RUN_DIR=${platform.directory}/run npx --no hotpotato reload --config later.yml`
    expect(function_).toEqual({
      code: 1,
      stdout: '',
      stderr: `later does not run, echo, hello, said do; ${reload} starts it\n`,
    })
    expect(host).toMatchObject({ code: 1, stdout: '' })
    expect(host!.stderr).toBe(
      'hello cannot be called: what runs knows no host of it that the stack file names; ' +
        `${reload} tells it\n`,
    )
  })

  it('invoke --async prints the id of the call, which is made later', async () => {
    const { code, stdout } = await fed('', 'invoke', 'said', '--async', '--data', 'later', '--path', '/later')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/)
    await eventually(() => platform.log.includes('asked /later') || undefined, 'the call is not made')
  })

  it('logs gives what one function has said, as JSON, and the last of it', async () => {
    await fed('', 'invoke', 'said', '--path', '/one')
    await fed('', 'invoke', 'said', '--path', '/two')
    const [all, last, past, wrong] = await Promise.all(
      ['logs said', 'logs said-1 --tail 1', 'logs said --since 2020-01-01 --pretty', 'logs sayd'].map(run),
    )
    const entries = all!.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(new Set(entries.map(one => one.name))).toEqual(new Set(['said-1']))
    expect(entries.map(one => one.msg)).toEqual(expect.arrayContaining(['loaded', 'asked /one']))
    expect(JSON.parse(last!.stdout).msg).toBe('POST /two 200')
    expect(past!.stdout).toMatch(/^\[.*\] INFO \(said-1\): loaded$/m)
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong!.stderr).toBe('there is no function or container sayd; did you mean said?\n')
  })

  it('logs --access gives the access log alone, whatever the level of the log', async () => {
    const { stdout } = await run('logs --access said')
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines).toContainEqual(expect.objectContaining({ method: 'POST', target: '/fails', status: 503 }))
    for (const one of lines) expect(one).toMatchObject({ version: '1.1', client: '127.0.0.1' })
  })

  it('logs -f ends when its reader has gone, and waits for no other line', async () => {
    const child = spawn(process.execPath, [MAIN, 'logs', '-f'], {
      cwd: platform.directory,
      env: environmentOf(platform.directory),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
  })
})

/** With the command `hotpotato`: typed, because not every shell hands on functions of its environment. */
async function openTerminal(): Promise<Terminal> {
  const terminal = await Terminal.open(platform.directory, environmentOf(platform.directory))
  await terminal.run(`hotpotato() { "${process.execPath}" "${MAIN}" "$@"; }`)
  return terminal
}

describe(`on a terminal${NO_TERMINAL}`, () => {
  let terminal: Terminal
  beforeAll(async () => {
    if (NO_TERMINAL === '') terminal = await openTerminal()
  })
  afterAll(() => terminal?.close())

  it.skipIf(NO_TERMINAL !== '')('the prompt comes on a line of its own behind an answer', async () => {
    const { status, said } = await terminal.run('hotpotato invoke said -X GET')
    expect(status).toBe(0)
    expect(said).toMatch(/\n\{"method":"GET".*\}\n\[0\]ready> $/)
  })

  it.skipIf(NO_TERMINAL !== '')('invoke reads a body that is typed, until Ctrl-D', async () => {
    terminal.type('hotpotato invoke echo')
    await terminal.until(/the body comes from this terminal: Ctrl-D ends it/)
    terminal.press('typed\r\x04')
    const { status, said } = await terminal.prompt()
    expect(status).toBe(0)
    expect(said).toContain('typed\ntyped\n')
  })

  it.skipIf(NO_TERMINAL !== '')(
    'logs are in lines for people, without colour if NO_COLOR is set',
    async () => {
      terminal.type('NO_COLOR=1 hotpotato logs said --tail 2')
      const raw = await terminal.until(/\[\d+\]ready> $/)
      expect(raw).toMatch(/\[.*\] INFO \(said-1\): asked/)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how a colour begins
      expect(raw.slice(raw.indexOf('INFO'))).not.toMatch(/\x1b\[\d/)
      terminal.type('hotpotato logs -f said')
      await terminal.until(/INFO.*asked/)
      terminal.press('\x03')
      expect((await terminal.prompt()).status).toBe(130)
    },
  )

  it.skipIf(NO_TERMINAL !== '')('commands end quietly when head has what it wants', async () => {
    for (const line of ['doctor', 'completion bash', 'logs', 'describe echo', 'list']) {
      const { said } = await terminal.run(`hotpotato ${line} | head -1; echo "(\${PIPESTATUS[0]})"`)
      // What is typed, one line, the status, and the prompt.
      expect(said.replaceAll('\r', '')).toMatch(/^hotpotato .*\n.+\n\(0\)\n\[0\]ready> $/)
    }
    expect((await terminal.run('hotpotato remove nobody')).status).toBe(1)
  })

  it.skipIf(NO_TERMINAL !== '')('a deploy that is broken off says that it goes on', async () => {
    // The container that is to go stands still: the order is not over before the key is pressed.
    const { pid } = (await platform.status()).find(({ name }) => name.startsWith('echo-'))!
    process.kill(pid!, 'SIGSTOP')
    try {
      terminal.type('hotpotato deploy echo')
      await terminal.until(/starting/)
      terminal.press('\x03')
      const { status, said } = await terminal.prompt()
      expect(status).toBe(130)
      expect(said).toContain('the platform goes on with it')
    } finally {
      process.kill(pid!, 'SIGCONT')
    }
  })
})

it('remove takes a function out of what is running, and with --file out of the stack file', async () => {
  const file = join(platform.directory, 'hotpotato.yml')
  expect(await run('remove nobody')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no function nob'),
  })
  expect(await run('remove said')).toMatchObject({ code: 0, stdout: 'ended said-1\n' })
  expect(readFileSync(file, 'utf8')).toBe(CONFIG)
  expect((await run('list -q')).stdout).toBe('echo\nhello\n')
  expect(await run('reload')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('said: added, started said-1\n'),
  })
  const removed = await run('remove said --file')
  expect(removed).toMatchObject({ code: 0, stderr: '' })
  expect(removed.stdout).toMatch(/^ended said-1\ntook said out of .*hotpotato\.yml\n$/)
  expect(readFileSync(file, 'utf8')).toBe(CONFIG.replace(/ {2}said: .*\n/, ''))
})

it('down waits until every process is gone', async () => {
  const pids = (await platform.status()).map(({ pid }) => pid!)
  expect(await run('down')).toMatchObject({ code: 0, stdout: 'stopped\n' })
  expect(pids.filter(pid => isThere(pid))).toEqual([])
  expect(await run('down')).toMatchObject({ code: 0, stdout: 'hotpotato is not running\n' })
  expect(await run('list')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^hotpotato is not run/) })
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
