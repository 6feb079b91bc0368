import { existsSync, rmSync, writeFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import type { Invitation, Shown, Taught } from '../../supervisor/admin/told.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { type Recording, readRecording } from '../../trace/recording.ts'
import { makeTeachDirectory } from './directory.ts'
import type { Lesson } from './lessons.ts'
import { Live } from './live.ts'
import { Onlooker } from './onlooker.ts'
import { Program } from './program.ts'
import type { Pupil } from './pupil.ts'
import { Servers } from './servers.ts'
import { commandOf, quoted } from './words.ts'

/** Milliseconds that a lesson may take. */
const PATIENCE = 120_000

/** Makes the connections of lessons, with `hotpotato connect` as it is, in a directory of its own. */
export class School {
  readonly live: Live
  readonly #pupil: Pupil
  readonly #directory = makeTeachDirectory()
  readonly #servers = new Servers(this.#directory)
  /** What makes the connection of the lesson that goes on. */
  #connect: Program | undefined

  constructor(pupil: Pupil) {
    this.#pupil = pupil
    this.live = new Live(pupil, toPlatform(pupil), this.#directory)
  }

  /** @throws Error it left no recording; the message says why */
  async teach(lesson: Lesson): Promise<Taught> {
    const target = lesson.server === 'platform' ? toPlatform(this.#pupil) : await this.#toServe(lesson.server)
    const request = this.#request(lesson)
    const early = this.#servers.file('early.txt')
    if (lesson.early) writeFileSync(early, request)
    const words = [
      ...['connect', ...target, ...lesson.options],
      ...(lesson.early ? ['--early-data', early] : []),
      ...(lesson.certificate
        ? [
            '--cert',
            this.#servers.file('clients/alice.crt'),
            '--key',
            this.#servers.file('clients/alice.key'),
          ]
        : []),
    ]
    const { ask } = this.#pupil
    const onlooker = lesson.moves && ask !== undefined ? await Onlooker.begin(ask) : undefined
    const sent = onlooker === undefined ? request : request.replace('Connection: close\r\n', '')
    const own = await this.#run([...words, '--quiet'], lesson.early ? '' : sent, onlooker)
    const { said } = own
    if (own.recording === '') throw new Error(said || 'the connection left no recording')
    const recording = onlooker === undefined ? own.recording : seenBy(onlooker, own.recording)
    const input = lesson.early ? '</dev/null' : ''
    const before = lesson.early ? '' : `printf '${request.replaceAll('\r\n', '\\r\\n')}' | `
    return { recording, said, command: `${before}${commandOf(words)} ${input}`.trim() }
  }

  /** Another server for clients that are not ours; what came to the one before is forgotten. */
  async invite(): Promise<Invitation> {
    const { port } = await this.#servers.renew('guests')
    const address = `https://localhost:${port}/`
    return { address, command: `curl --cacert ${quoted(this.#servers.file('ca.crt'))} ${address}` }
  }

  /** What those clients have done since. @param seen what the last look said; the same: nothing is new */
  async look(seen: number): Promise<Shown> {
    // While another one takes its place there is nothing new.
    const nothing: Shown = { taken: seen }
    return (
      this.#servers
        .running('guests')
        ?.program.look(seen)
        .catch(() => nothing) ?? nothing
    )
  }

  close(): void {
    this.#connect?.end()
    this.#servers.close()
    this.live.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #toServe(kind: 'early' | 'short'): Promise<string[]> {
    const { port } = await this.#servers.get(kind)
    return [`localhost:${port}`, '--ca', this.#servers.file('ca.crt')]
  }

  /** What is asked for: of the platform a page of its function, and one of another. */
  #request({ server, moves, goesOn }: Lesson): string {
    const { host, prefix, other } = this.#pupil
    if (server !== 'platform') return 'GET /tls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`
    const first = moves && other !== undefined ? get(other) : ''
    return `${first}${get(`${prefix}/`, goesOn ? '' : 'Connection: close\r\n')}`
  }

  /** @returns its recording, and what it said on standard error, if it did not succeed */
  async #run(
    words: readonly string[],
    input: string,
    onlooker?: Onlooker,
  ): Promise<Pick<Taught, 'recording' | 'said'>> {
    const program = new Program(words, this.#directory)
    this.#connect = program
    program.output.resume()
    if (onlooker === undefined) program.input.end(input)
    else void oneByOne(program.input, input, onlooker)
    const status = await program.over(PATIENCE)
    this.#connect = undefined
    const recording = program.recording()
    program.close()
    return { recording, said: status === 0 ? '' : program.said || 'it took too long' }
  }
}

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

function toPlatform({ address, port, host, authority }: Pupil): string[] {
  const ca = existsSync(authority) ? ['--ca', authority] : []
  return [`${address.includes(':') ? `[${address}]` : address}:${port}`, '--servername', host, ...ca]
}
