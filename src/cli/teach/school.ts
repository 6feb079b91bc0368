import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { makeCertificates } from '../../certificates/authority.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { type Recording, readRecording } from '../../trace/recording.ts'
import { packageFolder } from '../platform/configuration.ts'
import type { Lesson } from './lessons.ts'
import { type Ask, Onlooker } from './onlooker.ts'

/** Milliseconds that a lesson may take. */
const PATIENCE = 120_000

/** The platform that lessons are about. */
export interface Pupil {
  /** Where its HTTPS port is reached. */
  readonly address: string
  readonly port: number
  readonly host: string
  /** What stands before the paths of its function. */
  readonly prefix: string
  /** The certificates of its functions. */
  readonly authority: string
  /** A path of another function, to which the connection moves; undefined: there is none. */
  readonly other: string | undefined
  /** Gives the platform an order, where it teaches; undefined: it does not. */
  readonly ask?: Ask | undefined
}

/** What came of a lesson. */
export interface Taught {
  /** The recording, JSON. */
  readonly recording: string
  /** What does the same in a terminal. */
  readonly command: string
  /** What `connect` said at its end, if it was no success: of a broken connection, the alert. */
  readonly said: string
}

/** Makes the connections of lessons, with `hotpotato connect` as it is, in a directory of its own. */
export class School {
  readonly #pupil: Pupil
  readonly #directory = mkdtempSync(join(tmpdir(), 'hotpotato-teach-'))
  #serve: { readonly child: ChildProcess; readonly port: number } | undefined
  /** What makes the connection of the lesson that goes on. */
  #connect: ChildProcess | undefined

  constructor(pupil: Pupil) {
    this.#pupil = pupil
  }

  /** @throws Error it left no recording; the message says why */
  async teach(lesson: Lesson): Promise<Taught> {
    const file = join(this.#directory, 'recording.json')
    rmSync(file, { force: true })
    const target = lesson.server === 'platform' ? this.#toPlatform() : await this.#toServe()
    const request = this.#request(lesson)
    const early = join(this.#directory, 'early.txt')
    if (lesson.early) writeFileSync(early, request)
    const words = [
      ...['connect', ...target, ...lesson.options],
      ...(lesson.early ? ['--early-data', early] : []),
      ...(lesson.certificate
        ? ['--cert', this.#file('clients/alice.crt'), '--key', this.#file('clients/alice.key')]
        : []),
    ]
    const { ask } = this.#pupil
    const onlooker = lesson.moves && ask !== undefined ? await Onlooker.begin(ask) : undefined
    const sent = onlooker === undefined ? request : request.replace('Connection: close\r\n', '')
    const run = [...words, '--record', file, '--quiet']
    const said = await this.#run(run, lesson.early ? '' : sent, onlooker)
    if (!existsSync(file)) throw new Error(said.trim() || 'the connection left no recording')
    const own = readFileSync(file, 'utf8')
    const recording = onlooker === undefined ? own : seenBy(onlooker, own)
    rmSync(file)
    const shown = [...words, '--record', 'session.html'].map(quoted).join(' ')
    const input = lesson.early ? '</dev/null' : ''
    const before = lesson.early ? '' : `printf '${request.replaceAll('\r\n', '\\r\\n')}' | `
    return { recording, said: said.trim(), command: `${before}npx --no hotpotato ${shown} ${input}`.trim() }
  }

  close(): void {
    this.#connect?.kill()
    this.#serve?.child.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #toPlatform(): string[] {
    const { address, port, host, authority } = this.#pupil
    const ca = existsSync(authority) ? ['--ca', authority] : []
    return [`${address.includes(':') ? `[${address}]` : address}:${port}`, '--servername', host, ...ca]
  }

  async #toServe(): Promise<string[]> {
    this.#serve ??= await this.#startServe()
    return [`localhost:${this.#serve.port}`, '--ca', this.#file('ca.crt')]
  }

  /** What is asked for: of the platform a page of its function, and one of another. */
  #request({ server, moves, goesOn }: Lesson): string {
    const { host, prefix, other } = this.#pupil
    if (server === 'serve') return 'GET /tls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`
    const first = moves && other !== undefined ? get(other) : ''
    return `${first}${get(`${prefix}/`, goesOn ? '' : 'Connection: close\r\n')}`
  }

  #file(name: string): string {
    return join(this.#directory, name)
  }

  /** Functions take no early data, and ask for certificates where the stack file says so. */
  async #startServe(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
    const now = SYSTEM_CLOCK.wall()
    await makeCertificates({
      ...{ directory: this.#directory, now },
      certificates: [{ name: 'localhost', hosts: ['localhost'] }],
    })
    await makeCertificates({
      ...{ directory: this.#file('clients'), now, purpose: 'client' },
      certificates: [{ name: 'alice', hosts: ['alice'] }],
    })
    const child = spawn(
      process.execPath,
      [
        ...[PROGRAM, 'serve', '--port', '0', '--early-data', '4096', '--mtls', 'request'],
        ...['--cert', this.#file('localhost.crt'), '--key', this.#file('localhost.key')],
        ...['--client-ca', this.#file('clients/ca.crt')],
      ],
      // It ends with us, however we end: the channel breaks.
      { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
    )
    // Another lesson starts another one.
    child.once('exit', () => {
      this.#serve = undefined
    })
    let said = ''
    for await (const text of child.stdout!.setEncoding('utf8')) {
      said += text as string
      const port = /listening on https:\/\/\S+:(\d+)\//.exec(said)?.[1]
      if (port === undefined) continue
      return { child, port: Number(port) }
    }
    throw new Error('serve has ended before it listened')
  }

  /** @returns what it said on standard error, if it did not succeed */
  async #run(words: readonly string[], input: string, onlooker?: Onlooker): Promise<string> {
    const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['pipe', 'ignore', 'pipe'] })
    this.#connect = child
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-4096)
    })
    child.stdin.on('error', () => {})
    if (onlooker === undefined) child.stdin.end(input)
    else void oneByOne(child.stdin, input, onlooker)
    const timer = SYSTEM_CLOCK.after(PATIENCE, () => child.kill())
    const [status] = (await once(child, 'close')) as [number | null]
    timer.stop()
    this.#connect = undefined
    return status === 0 ? '' : said || 'it took too long'
  }
}

const PROGRAM = join(packageFolder(), 'bin/hotpotato.js')

/** Sends one request after the other, each when the platform's side of the one before has been looked at. */
async function oneByOne(stdin: Writable, requests: string, onlooker: Onlooker): Promise<void> {
  let sent = 0
  for (const request of requests.split(/(?<=\r\n\r\n)/)) {
    stdin.write(request)
    await onlooker.look(++sent).catch(() => {})
  }
  stdin.end()
}

/** A recording of a client with what the platform has told of its connection. */
function seenBy(onlooker: Onlooker, text: string): string {
  const recording = readRecording(text)
  const seen = (one: Recording['connections'][number]) => ({
    ...one,
    states: [...one.states, ...onlooker.statesOf(one.keyLog, SYSTEM_CLOCK.wall())],
  })
  return JSON.stringify({ ...recording, connections: recording.connections.map(seen) })
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=,@+[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
