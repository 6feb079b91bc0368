import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Forks } from '../../../src/functions/programs/forks.ts'
import { type Field, header, type RequestView } from '../../../src/http/message.ts'
import type { ForkSettings } from '../../../src/platform/program-settings.ts'
import { PYTHON_RUNNER } from '../../../src/platform/python-runner.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { textOf } from '../../support/client.ts'
import { eventually, isRunning } from '../../support/platform.ts'
import { isInstalled, missing } from '../../support/programs.ts'

const PYTHON = isInstalled('python3', ['--version'])

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-forks-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
const open: Forks[] = []
afterEach(async () => {
  for (const forks of open.splice(0)) await forks.stop()
})

const FORK: ForkSettings = {
  pool: 0,
  most: 8,
  outputBytes: 1_000_000,
  contentType: undefined,
  combineOutput: false,
  writeDebug: false,
  cgiHeaders: true,
  marshal: false,
}

interface Answer {
  readonly status: number
  readonly headers: readonly Field[]
  readonly body: Uint8Array
}
const GET: RequestView = {
  method: 'GET',
  target: '/',
  version: '1.1',
  headers: [['Host', 'app.local']],
  host: 'app.local',
  path: '/',
  query: '',
  body: new Uint8Array(),
}
const typeOf = ({ headers }: Answer): string | undefined => header(headers, 'content-type')

/** A function of a command; `entries` is what it has logged. */
function forking(
  command: readonly string[],
  fork: Partial<ForkSettings> = {},
  folder = directory,
): {
  forks: Forks
  entries: [object, string][]
  ask: (request?: Partial<RequestView>, signal?: AbortSignal) => Promise<Answer>
} {
  const entries: [object, string][] = []
  const note = (...all: unknown[]): void => void entries.push(all as [object, string])
  const log = { debug: note, info: note, warn: note, error: note }
  const settings = {
    mode: 'fork' as const,
    command,
    directory: folder,
    runDirectory: directory,
    ready: undefined,
    startMilliseconds: 1000,
    restart: { first: 10, most: 100 },
    fork: { ...FORK, ...fork },
  }
  const environment = { PATH: process.env.PATH!, GIVEN: 'yes' }
  const forks = new Forks({ settings, functionName: 'app', environment, clock: SYSTEM_CLOCK, log })
  open.push(forks)
  const ask = (given: Partial<RequestView> = {}, signal = new AbortController().signal): Promise<Answer> => {
    const request = { ...GET, ...given }
    const context = { functionPath: '/', callId: 'c1', signal, log }
    return forks.handle(request, context as never) as Promise<Answer>
  }
  return { forks, entries, ask }
}

const shell = (text: string): string[] => ['sh', '-c', text]
const post = (body: string | Uint8Array, headers: readonly Field[] = []): Partial<RequestView> => ({
  method: 'POST',
  headers: [['Host', 'app.local'], ...headers],
  body: typeof body === 'string' ? utf8(body) : body,
})

describe('one process a request', () => {
  it('gets the content, and gives the answer', async () => {
    const { ask } = forking(['tr', 'a-z', 'A-Z'])
    const answer = await ask(post('potato'))
    expect([answer.status, textOf(answer)]).toEqual([200, 'POTATO'])
    expect(typeOf(answer)).toBe('text/plain; charset=utf-8')
  })

  it('has the type of answer that is set, or that of the request, or text', async () => {
    const typed = forking(['cat'], { contentType: 'image/png' })
    expect(typeOf(await typed.ask(post('x')))).toBe('image/png')
    const { ask } = forking(['cat'])
    expect(typeOf(await ask())).toBe('text/plain; charset=utf-8')
    const json = post('{}', [['Content-Type', 'application/json']])
    expect(typeOf(await ask(json))).toBe('application/json')
  })

  it('gets content and fields as JSON, if it is to: as the classic watchdog marshals them', async () => {
    const { ask } = forking(['cat'], { marshal: true })
    const bytes = new Uint8Array([0, 128, 255])
    const fields = [
      ['x-two', 'a'],
      ['X-Two', 'b'],
      ['__proto__', 'c'],
    ] as const
    expect(JSON.parse(textOf(await ask(post(bytes, fields))))).toEqual({
      header: { Host: ['app.local'], 'X-Two': ['a', 'b'], ['__proto__']: ['c'] },
      body: { raw: 'AID/' },
    })
  })

  it('gives standard error as well, if it is to', async () => {
    const { ask, entries } = forking(shell('echo one; echo two >&2'), { combineOutput: true })
    expect(
      textOf(await ask())
        .split('\n')
        .sort(),
    ).toEqual(['', 'one', 'two'])
    expect(entries).toEqual([])
  })

  it('has what it answers in the log as well, if it is to', async () => {
    const { ask, entries } = forking(shell('echo one; echo two >&2'), { writeDebug: true })
    expect(textOf(await ask())).toBe('one\n')
    const said = entries.map(([fields, line]) => [(fields as { stream: string }).stream, line])
    expect(said.sort()).toEqual([
      ['stderr', 'two'],
      ['stdout', 'one'],
    ])
  })

  it('has none of the fields in its environment, if it is not to', async () => {
    const { ask } = forking(shell('env | grep -c "^Http_"; echo $GIVEN'), { cgiHeaders: false })
    expect(textOf(await ask())).toBe('0\nyes\n')
  })

  it('may end before it has read what it was sent', async () => {
    const { ask } = forking(['true'])
    const answer = await ask(post(new Uint8Array(5_000_000)))
    expect([answer.status, textOf(answer)]).toEqual([200, ''])
  })

  it('is told of a command that is not there', async () => {
    const { ask } = forking(['./nothing'])
    expect((await ask()).status).toBe(502)
  })

  it.skipIf(!PYTHON)(`runs a handler as OpenFaaS does${missing(PYTHON, 'python3', 'python3')}`, async () => {
    writeFileSync(join(directory, 'words.py'), 'def shout(text):\n    return text.upper()\n')
    writeFileSync(
      join(directory, 'handler.py'),
      'import os\nfrom . import words\nimport words as same\n' +
        'def handle(req):\n    print("said")\n    return words.shout(req) + os.environ["Http_Method"]\n',
    )
    for (const pool of [0, 1]) {
      const { ask } = forking(['python3', '-c', PYTHON_RUNNER], { pool })
      expect(textOf(await ask(post('pötato ')))).toBe('said\nPÖTATO POST\n')
    }
  })
})

it.skipIf(!PYTHON)('the folder that the template python3 builds runs as it is', async () => {
  const folder = join(directory, 'built')
  mkdirSync(join(folder, 'function'), { recursive: true })
  const write = (path: string, text: string): void => writeFileSync(join(folder, path), text)
  write('requirements.txt', '')
  write('function/__init__.py', '')
  write('function/requirements.txt', '')
  write('function/handler.py', 'from .words import shout\n\ndef handle(req):\n    return shout(req)\n')
  write('function/words.py', 'def shout(text):\n    return text.upper()\n')
  write(
    'index.py',
    'import sys\nfrom function import handler\n\ndef get_stdin():\n    return "".join(sys.stdin)\n\n' +
      'if __name__ == "__main__":\n    ret = handler.handle(get_stdin())\n    if ret is not None:\n' +
      '        print(ret)\n',
  )
  const { ask } = forking(['python3', 'index.py'], {}, folder)
  expect(textOf(await ask(post('potato\npotato')))).toBe('POTATO\nPOTATO\n')
})

it.skipIf(!PYTHON)(`a handler that waits is not called for nothing when its container is gone`, async () => {
  writeFileSync(join(directory, 'handler.py'), 'def handle(req):\n    open("called", "w").close()\n')
  const { status, stderr } = spawnSync('sh', ['-c', 'exec python3 -c "$RUNNER" 3</dev/null </dev/null'], {
    cwd: directory,
    env: { PATH: process.env.PATH, HOTPOTATO_VARIABLES_FD: '3', RUNNER: PYTHON_RUNNER },
    encoding: 'utf8',
  })
  expect([status, stderr.trim()]).toEqual([1, 'no request has come'])
  expect(existsSync(join(directory, 'called'))).toBe(false)
})

describe('a process that misbehaves', () => {
  const pid = async (name: string): Promise<number> =>
    eventually(() => {
      const file = join(directory, name)
      return existsSync(file) ? Number(readFileSync(file, 'utf8')) || undefined : undefined
    }, 'it has not begun')
  const gone = (one: number): Promise<true> =>
    eventually(() => (isRunning(one) ? undefined : true), `${one} still runs`)

  it('is about to go: the next request waits for that, and is not one too many', async () => {
    const { ask } = forking(shell('[ "$Http_Query" = hang ] && exec sleep 1000; echo done'), { most: 1 })
    for (let i = 0; i < 5; i++) {
      const abort = new AbortController()
      const gone = ask({ query: 'hang' }, abort.signal)
      expect((await ask()).status).toBe(429)
      abort.abort(new Error('gone'))
      expect(textOf(await ask())).toBe('done\n')
      await gone
    }
  })

  it('never ends, and nothing waits for its answer any more', async () => {
    const { ask } = forking(shell('trap "" TERM; sleep 1000 & echo $! > client; wait; wait'))
    const abort = new AbortController()
    const answer = ask(undefined, abort.signal)
    const child = await pid('client')
    abort.abort(new Error('gone'))
    await answer
    await gone(child)
  })

  it('writes without end: 500, and no more is held than it may write', async () => {
    const { ask } = forking(['cat', '/dev/zero'])
    const answer = await ask()
    expect([answer.status, textOf(answer)]).toEqual([500, expect.stringContaining('more than 1000000 bytes')])
  })

  it('writes much while others do, too: 500, and no more is held of all of them together', async () => {
    const { ask } = forking(shell('head -c 900000 /dev/zero; sleep 0.5'))
    const statuses = (await Promise.all(Array.from({ length: 6 }, () => ask()))).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 200, 200, 200, 500, 500])
    // All of it has been given back.
    expect((await ask()).status).toBe(200)
  })

  it('says more on standard error than the log takes: it waits, and its time ends', async () => {
    const { ask, entries } = forking(shell('yes potato >&2'))
    const abort = new AbortController()
    const answer = ask(undefined, abort.signal)
    const logged = (): number => entries.reduce((sum, [, line]) => sum + line.length, 0)
    // A burst; what follows is said more slowly than it would be.
    await eventually(() => logged() > 1_000_000 || undefined, 'it says little')
    abort.abort(new Error('late'))
    await answer
    const bytes = logged()
    // A burst, and a pipe that was full.
    expect(bytes).toBeLessThan(1_500_000)
  })

  it('leaves a child behind that holds its output, in its group or out of it', async () => {
    const { ask } = forking(shell('sleep 1000 & echo $! > held; echo done'))
    expect(textOf(await ask())).toBe('done\n')
    await gone(await pid('held'))
    const escaped = forking(shell('setsid sleep 30 & echo done'))
    expect(textOf(await escaped.ask())).toBe('done\n')
  })

  it('ends by a signal: 500 that says so', async () => {
    const { ask } = forking(shell('kill -SEGV $$'))
    const answer = await ask()
    expect([answer.status, textOf(answer)]).toEqual([500, expect.stringContaining('SIGSEGV')])
  })

  it('is not started where the head of the request is too large for it', async () => {
    const { ask } = forking(['true'])
    expect((await ask(post('', [['X-Large', 'x'.repeat(200_000)]]))).status).toBe(431)
  })
})

it('no more processes are at work than may be: one request more is refused', async () => {
  const { ask, forks } = forking(shell('sleep 0.2; echo done'), { most: 2 })
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask()))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429, 429])
  expect(header(answers.find(({ status }) => status === 429)!.headers, 'retry-after')).toBe('1')
  expect(forks.counters()).toMatchObject({ programs: 0, programsStarted: 2, programsRefused: 3 })
})

describe('processes that are started ahead', () => {
  it('serve one request each, and are replaced', async () => {
    const { ask, forks } = forking(shell('echo $$; cat'), { pool: 2 })
    expect(forks.counters().programsWarm).toBe(2)
    const said = new Set<string>()
    for (let i = 0; i < 5; i++) {
      said.add(textOf(await ask()))
      await eventually(() => forks.counters().programsWarm === 2 || undefined, 'none has been started')
    }
    expect(said.size).toBe(5)
  })

  it('are told of their request by a pipe', async () => {
    const { ask } = forking(shell('cat <&"$HOTPOTATO_VARIABLES_FD"'), { pool: 1 })
    expect(JSON.parse(textOf(await ask()))).toMatchObject({
      Http_Method: 'GET',
      HOTPOTATO_CALL_ID: 'c1',
    })
  })

  it('are tried again more and more slowly if they end; requests get processes of their own', async () => {
    const { ask, forks } = forking(['true'], { pool: 1 })
    await new Promise(resolve => setTimeout(resolve, 500))
    expect(forks.counters().programsStarted).toBeLessThan(8)
    expect((await ask()).status).toBe(200)
  })
})
