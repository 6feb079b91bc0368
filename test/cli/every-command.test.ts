import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { namesOf } from '../../src/cli/line/command.ts'
import { TABLE } from '../../src/cli/table.ts'
import { environmentOf, MAIN, makeDirectory } from '../support/platform.ts'
import { NO_TERMINAL, Terminal, type Typed } from '../support/terminal.ts'

/*
 * Every command of the table, on a terminal and in a pipe, as a user has them one after the other: of one
 * platform, which runs on a terminal of its own. What each can do else is in the file of its name.
 */

const CONFIG = `
queue: { enabled: true }
functions:
  echo: { replicas: { min: 1, max: 3 } }
  hello: {}
  # What any object of JavaScript has under that name is no function of the stack file.
  constructor: { handler: hello }
`
const SAID = "export default () => new Response('said\\n')\n"

/** A command line, without `hotpotato`; what stands there then; and its status. */
type Line = readonly [line: string, says: RegExp, status?: number]
/** A step that is more than that. */
type Act = (terminal: Terminal) => Promise<void>
type Step = Line | Act

interface Case {
  readonly terminal: Step
  readonly pipe: Step
}

/** The same in both. */
const both = (...line: Line): Case => ({ terminal: line, pipe: line })

let directory: string
/** Where `up` stays, and where commands are typed. */
let stage: Terminal
let desk: Terminal
/** What `up` has said. */
let welcome = ''
const port = (scheme: string): string => new RegExp(`${scheme} +\\S+:(\\d+)`).exec(welcome)![1]!

/** One that stays until Ctrl-C, with what is done meanwhile. */
function staying(
  line: string,
  up: RegExp,
  meanwhile: (said: string) => Promise<unknown>,
  status: number,
): Act {
  return async terminal => {
    terminal.type(line)
    await meanwhile(await terminal.until(up))
    terminal.press('\x03')
    expect((await terminal.prompt()).status).toBe(status)
  }
}

const asked = async (said: string): Promise<void> => {
  const answer = await fetch(/http:\/\/localhost:\d+\//.exec(said)![0])
  expect(await answer.text()).toBe('said\n')
}
const SERVE = 'hotpotato serve --cert certs/echo.crt --key certs/echo.key --port 0'
let served: string

/** In the order in which they are typed. */
const CASES: Readonly<Record<string, Case>> = {
  up: {
    terminal: async () => expect(welcome).toMatch(/hotpotato is running\r?\n/),
    pipe: ['up', /already running in .*stop it with/, 1],
  },
  doctor: both('doctor', /starts here[;\s]/),
  config: both('config check', /no fault found \(3 functions: echo, hello, constructor\)/),
  status: both('status', /FUNCTION +REPLICAS.*\s+echo +1 +1 /),
  list: both('list', /FUNCTION +REPLICAS.*\s+echo +1 +1 /),
  describe: both('describe echo', /name +echo\s/),
  logs: {
    terminal: ['logs gateway --tail 1', /INFO.*\(gateway\)/],
    pipe: ['logs gateway --tail 1', /\{"level":30,.*"name":"gateway"/],
  },
  invoke: both('invoke hello -X GET', /Hello, world!\s/),
  reload: both('reload', /nothing has changed/),
  ui: both('ui --print', /http:\/\/127\.0\.0\.1:\d+\/ui\/#[\w-]{43}\s/),
  restart: both('restart gateway', /started gateway\S*\s/),
  deploy: both('deploy hello', /started hello-\d\s+moved 0 connections, ended hello-\d\s/),
  scale: { terminal: ['scale echo 2', /started echo-2/], pipe: ['scale echo 3', /started echo-3/] },
  drain: { terminal: ['drain echo-1', /ended echo-1/], pipe: ['drain echo-2', /ended echo-2/] },
  move: both('move abcd echo-3', /there is no connection abcd/, 1),
  stress: both('stress "$CLEAR/hello" -n 3 -c 1', /answers +3 /),
  queue: both('queue list', /no asynchronous call waits/),
  secret: {
    terminal: async terminal => {
      terminal.type('hotpotato secret create one')
      await terminal.until(/create one\r\n/)
      terminal.press('typed\r\x04')
      expect((await terminal.prompt()).said).toMatch(/created one/)
    },
    pipe: ['secret list', /one +5 bytes/],
  },
  keygen: both('keygen', /AGE-SECRET-KEY-1/),
  seal: {
    terminal: ['seal said.mjs --show-key -o one.potato', /one\.potato: said, 1 file/],
    pipe: ['seal said.mjs --show-key -o two.potato | sed -n "s/.*data-key //p" | tee key', /^\S+$/m],
  },
  open: both('open two.potato --key-file key', /said\.mjs/),
  certs: both('certs --client alice', /made certs\/alice\.crt|nothing to do|kept/),
  cert: both('cert status', /no certificate has been asked for/),
  inspect: both('inspect rubbish', /format_version = \d+\s.*\s.*stopped at byte /, 1),
  verify: both('verify rubbish', /\S/, 1),
  completion: both('completion bash', /complete -o default -F _hotpotato hotpotato/),
  serve: {
    terminal: staying(SERVE, /:\d+\/\s/, async said => expect(said).toMatch(/:\d+/), 0),
    // It stays for the next one.
    pipe: async terminal => {
      await terminal.run(`${SERVE} | cat >served & sleep 0.1; until grep -q . served; do sleep 0.1; done`)
      served = /:(\d+)/.exec(readFileSync(join(directory, 'served'), 'utf8'))![1]!
    },
  },
  connect: {
    terminal: async terminal => {
      terminal.type(`hotpotato connect localhost:${served} --ca certs/ca.crt`)
      await terminal.until(/TLS_/)
      // A terminal ends lines with a line feed alone, of which a server says what it thinks.
      terminal.press('GET / HTTP/1.0\r\r\x04')
      expect((await terminal.prompt()).said).toMatch(/HTTP\/1\.1 400 /)
    },
    pipe: [`connect localhost:$SERVED --ca certs/ca.crt --quiet < request`, /200 OK/],
  },
  'local-run': {
    terminal: staying('hotpotato local-run ./said.mjs', /Ctrl-C ends it/, asked, 0),
    pipe: ['local-run ./missing.mjs', /\.\/missing\.mjs does not exist/, 1],
  },
  new: {
    terminal: ['new greet --lang fetch', /made greet\//],
    pipe: ['new report --lang shell', /made report\//],
  },
  remove: {
    terminal: ['remove hello', /ended hello-\d/],
    pipe: ['remove greet --file', /took greet out of /],
  },
  // With the rights it needs it goes on until a signal: test/hosts/netd.test.ts.
  netd: both('netd --ports 0', /--ports takes ports from 1 to 65535, not 0/, 2),
  stop: both('stop', /stopped|hotpotato is not running/),
  down: both('down', /stopped|hotpotato is not running/),
  demo: {
    terminal: staying('hotpotato demo', /GET \/hello/, async () => {}, 130),
    pipe: ['demo --loudly', /unknown option --loudly/, 2],
  },
}

async function take(step: Step, pipe: string): Promise<void> {
  if (typeof step === 'function') return step(desk)
  const [line, says, status = 0] = step
  const typed: Typed = await desk.run(
    pipe === '' ? `hotpotato ${line}` : `hotpotato ${line} ${pipe}; (exit \${PIPESTATUS[0]})`,
  )
  const answer = typed.said.replaceAll('\r', '').split('\n').slice(1).join('\n')
  expect([line, answer]).toEqual([line, expect.stringMatching(says)])
  expect([line, typed.status]).toEqual([line, status])
}

beforeAll(async () => {
  if (NO_TERMINAL !== '') return
  const names = ['echo', 'hello', 'constructor']
  directory = await makeDirectory(
    CONFIG,
    names.map(name => ({ name, hosts: [`${name}.localhost`, 'localhost'] })),
  )
  writeFileSync(join(directory, 'said.mjs'), SAID)
  writeFileSync(join(directory, 'rubbish'), 'no state at all')
  writeFileSync(join(directory, 'request'), 'GET / HTTP/1.0\r\n\r\n')
  mkdirSync(join(directory, 'home'))
  const open = (): Promise<Terminal> => Terminal.open(directory, environmentOf(directory))
  ;[stage, desk] = (await Promise.all([open(), open()])) as [Terminal, Terminal]
  for (const one of [stage, desk]) await one.run(`hotpotato() { "${process.execPath}" "${MAIN}" "$@"; }`)
  stage.type('hotpotato up')
  welcome = await stage.until(/Ctrl-C or .* ends everything/)
  await desk.run(`CLEAR=http://127.0.0.1:${port('http')}`)
})
afterAll(async () => {
  // The server that `connect` was tried with.
  await desk?.run('kill %1')
  await Promise.all([stage?.close(), desk?.close()])
  if (directory !== undefined) rmSync(directory, { recursive: true })
})

it('no command of the table is left out', () => {
  expect(Object.keys(CASES).sort()).toEqual([...namesOf(TABLE)].filter(name => !BUILT_IN.has(name)).sort())
})

/** What every command line knows, and is no command. */
const BUILT_IN = new Set(['help', 'version'])

describe.skipIf(NO_TERMINAL !== '')(`on a terminal, and in a pipe${NO_TERMINAL}`, () => {
  it.each(Object.entries(CASES))('%s', async (name, { terminal, pipe }) => {
    await take(terminal, '')
    if (name === 'connect') await desk.run(`SERVED=${served}`)
    await take(pipe, '| cat')
  })
})
