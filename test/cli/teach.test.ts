import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Classroom, type Teaching as Teacher } from '../../src/cli/teach/classroom.ts'
import { Nameless } from '../../src/cli/teach/directory.ts'
import { LESSONS } from '../../src/cli/teach/lessons.ts'
import type { Taught } from '../../src/supervisor/admin/told.ts'
import { differences } from '../../src/trace/difference.ts'
import { type RecordedConnection, readRecording } from '../../src/trace/recording.ts'
import { descendantsOf, eventually, hotpotato, MAIN, Platform } from '../support/platform.ts'
import { Teaching } from '../support/teach.ts'

/*
 * `hotpotato ui --teach`: its lessons over a real platform, and who is told what they say.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions: { echo: { hosts: [echo.local] }, hello: {} }
`

let platform: Platform
let teaching: Teaching
beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, args: ['--teach'] })
  teaching = await Teaching.open(platform.directory)
})
afterAll(async () => {
  await teaching?.close()
  await platform?.stop()
})

describe('a file without a name', () => {
  it('is closed once: its number may be that of another file by then', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-'))
    const file = new Nameless(directory)
    file.close()
    const other = openSync(join(directory, 'other'), 'wx')
    expect(other).toBe(file.descriptor)
    file.close()
    expect(fstatSync(other).isFile()).toBe(true)
    closeSync(other)
    rmSync(directory, { recursive: true })
  })
})

const messages = ({ events }: RecordedConnection): string[] =>
  events.flatMap(event => (event.kind === 'message' ? [event.type] : []))

async function taught(id: string) {
  const answer = await teaching.ask(`lessons/${id}`, 'POST')
  const text = await answer.text()
  expect([answer.status, answer.status === 200 ? '' : text]).toEqual([200, ''])
  const { recording, said, command } = JSON.parse(text) as Record<string, string>
  return { ...readRecording(recording!), said: said!, command: command! }
}

describe('each lesson shows what it says', () => {
  it.each<[string, (recording: Awaited<ReturnType<typeof taught>>, last: RecordedConnection) => void]>([
    ['full', (_, last) => expect(messages(last)).toContain('certificate_verify')],
    ['retry', (_, last) => expect(messages(last)[1]).toBe('hello_retry_request')],
    ['classic', (_, last) => expect(shares(last)).toEqual(['x25519 (29)'])],
    ['hybrid', (_, last) => expect(shares(last)).toEqual(['X25519MLKEM768 (0x11ec)'])],
    [
      'resumption',
      ({ connections }, last) => {
        expect(connections.length).toBe(2)
        expect(messages(last)).not.toContain('certificate')
      },
    ],
    [
      'stale',
      ({ connections: [, last] }) => {
        const hello = last!.events.find(event => event.kind === 'message')
        expect(JSON.stringify(hello)).toContain('pre_shared_key')
        expect(messages(last!)).toContain('certificate_verify')
      },
    ],
    ['key-update', (_, last) => expect(messages(last).filter(type => type === 'key_update').length).toBe(2)],
    [
      'move',
      (_, last) => {
        const answers = said(last)
        expect(answers).toMatch(/x-hotpotato-container: hello-1[\s\S]*x-hotpotato-container: echo-1/)
        expect(messages(last).filter(type => type === 'client_hello').length).toBe(1)
        const states = last.states.map(({ when, side = 'client' }) => `${side} ${when}`)
        expect(states).toEqual([
          'client after the handshake',
          'client after the last answer',
          'server before the move, in hello-1',
          'server after the move, in echo-1',
        ])
        // It is the same session: two requests apart in numbers, and in nothing else.
        const changed = differences(last.states[2]!, last.states[3]!).map(({ path }) => path)
        expect(changed.length).toBeGreaterThan(0)
        expect(changed.filter(path => !path.endsWith('sequence_number'))).toEqual([])
      },
    ],
    ['early', (_, last) => expect(messages(last)).toContain('end_of_early_data')],
    [
      'certificate',
      (_, last) => expect(messages(last).filter(type => type === 'certificate_verify').length).toBe(2),
    ],
    ...(['flip', 'drop', 'replay'] as const).map(
      id =>
        [
          id,
          (recording: { said: string }, last: RecordedConnection) => {
            expect(recording.said).toMatch(/alert bad_record_mac from the peer/)
            expect(last.events).toContainEqual(
              expect.objectContaining({ side: 'server', text: expect.stringMatching(/^bad_record_mac/) }),
            )
          },
        ] as [string, (recording: { said: string }, last: RecordedConnection) => void],
    ),
  ])('%s', async (id, look) => {
    const recording = await taught(id)
    const last = recording.connections.at(-1)!
    expect(recording.command).toMatch(/npx --no hotpotato connect .* --record session\.html/)
    expect(last.keyLog.length).toBeGreaterThan(3)
    look(recording, last)
  })

  it('and all of them are tried here', async () => {
    const told = (await (await teaching.ask('lessons')).json()) as { id: string }[]
    expect(told.map(({ id }) => id)).toEqual(LESSONS.map(({ id }) => id))
    expect(LESSONS.length).toBe(13)
  })
})

describe('nothing is told, and no connection is made', () => {
  it('without the token, or with another', async () => {
    for (const authorization of ['', 'Bearer', `Bearer ${'a'.repeat(43)}`])
      for (const [path, method] of [
        ['lessons', 'GET'],
        ['lessons/full', 'POST'],
      ] as const) {
        const answer = await teaching.ask(path, method, { authorization })
        expect([answer.status, await answer.text()]).toEqual([401, expect.not.stringMatching(/secret/)])
      }
  })

  it('to the token of the platform’s page; and the token of lessons opens nothing there', async () => {
    const { stdout } = await hotpotato(platform.directory, ['ui', '--print'])
    const page = new URL(stdout.trim())
    const bearer = (url: URL) => ({ authorization: `Bearer ${url.hash.slice(1)}` })
    expect((await teaching.ask('lessons', 'GET', bearer(page))).status).toBe(401)
    const own = new URL(teaching.address)
    expect((await fetch(`${page.origin}/ui/events`, { headers: bearer(own) })).status).toBe(401)
    expect((await fetch(`${page.origin}/teach/lessons/full`, { method: 'POST' })).status).toBe(405)
  })

  it('to a page of another site, or by a name that leads here', async () => {
    const foreign: Record<string, string>[] = [
      { origin: 'http://example.org' },
      { 'sec-fetch-site': 'cross-site' },
      { host: 'example.org' },
    ]
    for (const fields of foreign) expect(await statusOf(fields)).toBe(403)
    expect(await statusOf({})).toBe(200)
  })

  it('for a lesson that there is not, or that is only looked at', async () => {
    expect((await teaching.ask('lessons/none', 'POST')).status).toBe(404)
    expect((await teaching.ask('lessons/../../etc', 'POST')).status).toBe(404)
    expect((await teaching.ask('lessons/full')).status).toBe(405)
  })
})

it('one lesson at a time: another one is refused until that is over', async () => {
  let finish = (): void => {}
  const school: Pick<Teacher, 'teach'> = {
    teach: () =>
      new Promise<Taught>(resolve => {
        finish = () => resolve({ recording: '{}', command: '', said: '' })
      }),
  }
  const room = await Classroom.open(school as Teacher)
  const { origin, hash } = new URL(room.address)
  const headers = { authorization: `Bearer ${hash.slice(1)}` }
  const learn = () => fetch(`${origin}/teach/lessons/full`, { method: 'POST', headers })
  // Whichever comes first goes on until it is told to end.
  const [one, other] = [learn(), learn()]
  expect((await Promise.race([one, other])).status).toBe(409)
  finish()
  expect((await Promise.all([one, other])).map(({ status }) => status).sort()).toEqual([200, 409])
  const third = learn()
  const ended = third.then(({ status }) => status)
  while ((await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 10))])) === undefined)
    finish()
  expect(await ended).toBe(200)
  room.close()
})

it('lets go of clients that say nothing, so that they keep no place for long', async () => {
  const room = await Classroom.open({} as Teacher)
  const { origin, port } = new URL(room.address)
  const idle = Array.from({ length: 16 }, () => connect(Number(port), '127.0.0.1').resume())
  // Node's own look at them, after 30 s, is too late for this test.
  await Promise.all(idle.map(one => new Promise(resolve => one.on('error', () => {}).on('close', resolve))))
  expect((await fetch(`${origin}/teach/lessons`)).status).toBe(401)
  room.close()
}, 25_000)

it('leaves nothing behind, and no recording while it runs', async () => {
  const other = await Teaching.open(platform.directory)
  const before = readdirSync(platform.directory).filter(name => name.startsWith('hotpotato-teach-'))
  expect(before.length).toBe(2)
  expect((await other.ask('lessons/early', 'POST')).status).toBe(200)
  const files = readdirSync(platform.directory, { recursive: true }).map(String)
  expect(files.filter(name => name.endsWith('recording.json'))).toEqual([])
  await other.close()
  const after = readdirSync(platform.directory).filter(name => name.startsWith('hotpotato-teach-'))
  expect(after.length).toBe(1)
})

it('whose terminal is closed leaves nothing behind either, nor the connection of a lesson', async () => {
  const other = await Teaching.open(platform.directory)
  expect((await other.ask('lessons/early', 'POST')).status).toBe(200)
  const [server] = descendantsOf(other.pid)
  // It answers no more, and so the lesson goes on.
  process.kill(server!, 'SIGSTOP')
  const lesson = other.ask('lessons/early', 'POST').catch(() => {})
  const connecting = await eventually(
    () => descendantsOf(other.pid).find(pid => pid !== server && commandOf(pid).includes('connect')),
    'no connection is made',
  )
  await other.close('SIGHUP')
  await lesson
  process.kill(server!, 'SIGCONT')
  for (const pid of [server, connecting])
    await eventually(() => !existsSync(`/proc/${pid}`) || undefined, `${pid} still runs`)
  const left = readdirSync(platform.directory).filter(name => name.startsWith('hotpotato-teach-'))
  expect(left.length).toBe(1)
})

it('goes on with another server where its own has ended', async () => {
  expect((await teaching.ask('lessons/early', 'POST')).status).toBe(200)
  const server = descendantsOf(teaching.pid).find(pid => commandOf(pid).includes('serve'))!
  process.kill(server, 'SIGKILL')
  await eventually(() => !existsSync(`/proc/${server}`) || undefined, 'it still runs')
  expect((await teaching.ask('lessons/certificate', 'POST')).status).toBe(200)
})

it.each([[['ui']], [['ui', '--teach']]])(
  '%j says its token to the browser in no command line',
  async words => {
    const bin = mkdtempSync(join(tmpdir(), 'hotpotato-opener-'))
    const said = join(bin, 'said')
    writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\nstat -c %a "$1" >${said}\necho "$@" >>${said}\n`, {
      mode: 0o755,
    })
    const child = spawn(process.execPath, [MAIN, ...words], {
      ...{ cwd: platform.directory, stdio: ['ignore', 'pipe', 'inherit'] },
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, TMPDIR: platform.directory },
    })
    let text = ''
    child.stdout!.setEncoding('utf8').on('data', more => {
      text += more
    })
    const [mode, file] = await eventually(() => {
      const lines = existsSync(said) ? readFileSync(said, 'utf8').split('\n') : []
      return lines.length > 2 ? lines : undefined
    }, 'nothing is opened')
    const address = await eventually(() => /^http:\S+$/m.exec(text)?.[0], 'no address is told')
    expect([mode, file]).toEqual(['600', expect.not.stringContaining(address.split('#')[1]!)])
    expect(readFileSync(file!, 'utf8')).toContain(`url=${address}"`)
    child.kill()
    rmSync(bin, { recursive: true })
  },
)

it('that is killed leaves no server behind', async () => {
  const other = await Teaching.open(platform.directory)
  expect((await other.ask('lessons/early', 'POST')).status).toBe(200)
  const [server] = descendantsOf(other.pid)
  expect(readFileSync(`/proc/${server}/cmdline`, 'latin1')).toContain('serve')
  await other.close('SIGKILL')
  await eventually(() => !existsSync(`/proc/${server}`) || undefined, 'it still runs')
})

it('says in one line that nothing runs', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-teach-none-'))
  writeFileSync(join(directory, 'hotpotato.yml'), 'functions: { echo: {} }\n')
  const { stdout, stderr, code } = await hotpotato(directory, ['ui', '--teach'])
  rmSync(directory, { recursive: true })
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^hotpotato is not running; start it with .*\n$/)
})

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

/** The groups of the client's shares. */
function shares({ events }: RecordedConnection): string[] {
  const hello = events.find(event => event.kind === 'message' && event.type === 'client_hello')
  if (hello?.kind !== 'message') throw new Error('no hello')
  return hello.fields.flatMap(({ name, text }) => (name === 'group' && text !== undefined ? [text] : []))
}

/** What the server has said in clear. */
function said({ events }: RecordedConnection): string {
  return events
    .flatMap(event =>
      event.kind === 'record' && event.side === 'server' && event.type === 'application_data'
        ? [Buffer.from(event.content, 'hex').toString()]
        : [],
    )
    .join('')
}

/** `fetch` sends no Host of another name. */
function statusOf(fields: Record<string, string>): Promise<number | undefined> {
  const { port, hash } = new URL(teaching.address)
  const headers = { authorization: `Bearer ${hash.slice(1)}`, ...fields }
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/teach/lessons', headers }, answer => {
      answer.resume()
      resolve(answer.statusCode)
    })
    asked.on('error', reject)
    asked.end()
  })
}
