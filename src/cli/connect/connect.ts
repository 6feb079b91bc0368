import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { ClientConfig } from '../../tls13/config.ts'
import {
  type CertificateVerifier,
  type ExposedSecret,
  NamedGroup,
  type ResumptionTicket,
  SessionState,
  TlsError,
} from '../../tls13/index.ts'
import { TlsDuplex } from '../../tls13/io/duplex.ts'
import { type PeerName, peerName } from '../../tls13/io/peer-name.ts'
import { certificateFromPem } from '../../tls13/io/pem.ts'
import { verifier } from '../../tls13/io/verify.ts'
import { Recorder } from '../../trace/recorder.ts'
import { leaveNoCore } from '../../transfer/native/inherited.ts'
import type { ConnectError } from '../../transport/connector.ts'
import { dial } from '../../transport/dial.ts'
import { encode } from '../../wire/index.ts'
import { mustBeDistinct } from '../line/distinct.ts'
import type { FlagValues } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { atEnd } from '../terminal/at-end.ts'
import { printable } from '../terminal/output.ts'
import { CaptureFile, captured } from '../tls/capture-file.ts'
import { textOf, writtenBoth } from '../tls/file.ts'
import { openPrivate, writePrivate } from '../tls/private-file.ts'
import { type RecordedTap, RecordingFile, recorded } from '../tls/recording-file.ts'
import { isLookedOn, letLookOn } from '../tls/spectator.ts'
import { commonConfig } from '../tls/tls-flags.ts'
import { ConnectionTrace, type Tap, tapSocket } from '../tls/trace.ts'
import { BREAKAGES, breakNext } from './breakage.ts'
import type { CONNECT_FLAGS } from './flags.ts'
import { HelloReader } from './hello.ts'
import { certificateLines, handshakeLines, publicKeyOf, secretLine } from './report.ts'

/** Milliseconds that a server has to send a ticket. */
const TICKET_WAIT = 5000
/** Seconds that a ticket may be good that is to be stale. */
const SHORT = 60

type Values = FlagValues<typeof CONNECT_FLAGS>

/**
 * `hotpotato connect`: what `openssl s_client` is for OpenSSL. @param address `HOST:PORT`
 * @throws UsageError, CommandError
 */
export async function connect(address: string, values: Values): Promise<void> {
  const target = targetOf(address)
  mustBeDistinct(
    [...writtenBoth(values), ['--dump', values.dump]],
    [
      ['--ca', values.ca],
      ['--cert', values.cert],
      ['--key', values.key],
      ['--early-data', values['early-data']],
    ],
  )
  const early = values['early-data']
  const earlyData = early === undefined ? undefined : bytesOf('early-data', early)
  if (values.stale && !values.resume) throw new UsageError('--stale needs --resume')
  leaveNoCore()
  const config = await clientConfig(target, values)
  const file = values.pcap === undefined ? undefined : new CaptureFile(values.pcap)
  const recording = values.record === undefined ? undefined : new RecordingFile(values.record)
  const recorder = recording === undefined ? undefined : new Recorder(address)
  const client = new Client(target, values, config, { capture: file?.capture, recorder })
  if (recorder !== undefined) letLookOn(recorder, asked => client.now(asked))
  const keep = (): void => {
    file?.end()
    recorder?.end(SYSTEM_CLOCK.wall())
    if (recorder !== undefined) recording?.end(recorder.recording())
  }
  // What was seen until Ctrl-C is kept, too.
  const finish = file === undefined && recording === undefined ? undefined : atEnd(keep)
  try {
    if (!values.resume && earlyData === undefined) return await client.talk()
    return await client.talk(await client.ticket(), earlyData)
  } finally {
    finish?.()
  }
}

/** What keeps the connections of a client. */
interface Kept {
  readonly capture: CaptureFile['capture'] | undefined
  readonly recorder: Recorder | undefined
}

interface Target {
  readonly host: string
  readonly port: number
}

/** Connections to one server. */
class Client {
  readonly #target: Target
  readonly #values: Values
  readonly #config: ClientConfig
  readonly #kept: Kept
  /** The chain that the server has shown, for the report; empty where a PSK took its place. */
  #chain: readonly Uint8Array[] = []
  /** The connection that is talked on. */
  #talking: TlsDuplex | undefined

  constructor(target: Target, values: Values, config: ClientConfig, kept: Kept) {
    this.#target = target
    this.#kept = kept
    this.#values = values
    const { verify } = config as { verify: CertificateVerifier }
    this.#config = {
      ...config,
      verify: (chain, context) => {
        this.#chain = chain
        return verify(chain, context)
      },
    }
  }

  /** A connection for a ticket's sake. @throws CommandError the server gives none */
  async ticket(): Promise<ResumptionTicket> {
    const connection = await this.#open({})
    const timer = SYSTEM_CLOCK.after(TICKET_WAIT, () => connection.destroy())
    connection.resume()
    let ticket: ResumptionTicket | undefined
    try {
      ticket = await new Promise<ResumptionTicket | undefined>((resolve, reject) => {
        connection.once('session', resolve)
        connection.once('close', () => resolve(undefined))
        connection.on('error', reject)
      })
      if (!connection.destroyed) {
        connection.end()
        // Whatever ends it now: it has given what it was for.
        await once(connection, 'close').catch(() => {})
      }
    } catch (error) {
      throw described(error)
    } finally {
      timer.stop()
    }
    if (ticket === undefined) throw new CommandError('the server sent no ticket to resume with')
    this.#note('received a ticket: connecting again')
    return this.#values.stale ? this.#outlived(ticket) : ticket
  }

  /** A client throws a ticket away when its time is over (RFC 8446 §4.6.1); this one says that it is not. */
  async #outlived(ticket: ResumptionTicket): Promise<ResumptionTicket> {
    const { lifetime } = ticket
    if (lifetime > SHORT)
      throw new CommandError(
        `--stale: the ticket is good for ${lifetime} s, which is long (serve has --ticket-seconds)`,
      )
    const over = (lifetime + 1) * 1000
    await new Promise<void>(resolve => SYSTEM_CLOCK.after(over, resolve))
    this.#note('the time of the ticket is over')
    return { ...ticket, lifetime: 2 * lifetime + SHORT }
  }

  /** Does what a program that looks on asks for: see {@link letLookOn}. */
  now(asked: object): void {
    const connection = this.#talking
    if (connection === undefined || connection.destroyed || !('now' in asked)) return
    const harm = BREAKAGES.find(one => one === asked.now)
    if (harm !== undefined) breakNext(connection.stream as Socket, harm)
    else if (asked.now === 'key-update') this.#changeKeys(connection)
  }

  /** Standard input to the server, and what it sends to standard output, until both are over. */
  async talk(resume?: ResumptionTicket, earlyData?: Uint8Array): Promise<void> {
    const connection = await this.#open({
      ...(resume === undefined ? {} : { resume }),
      ...(earlyData === undefined ? {} : { earlyData: true }),
      send: earlyData,
    })
    this.#talking = connection
    const harm = BREAKAGES.find(one => one === this.#values.break)
    if (harm !== undefined) breakNext(connection.stream as Socket, harm)
    if (this.#values['key-update']) this.#changeKeys(connection)
    connection.on('extendedKeyUpdate', generation =>
      this.#note(`both sides have new keys: extended key update ${generation}`),
    )
    const failed = new Promise<never>((_, reject) => connection.once('error', reject))
    process.stdin.pipe(connection)
    connection.pipe(process.stdout, { end: false })
    const ended = Promise.all([once(connection, 'end'), once(connection, 'close')])
    // A program that looks on has no more to say to a server that has ended, and keeps our input open.
    if (isLookedOn()) connection.once('end', () => connection.end())
    try {
      await Promise.race([ended, failed])
    } catch (error) {
      throw described(error)
    } finally {
      process.stdin.unpipe(connection)
      process.stdin.destroy()
    }
  }

  #changeKeys(connection: TlsDuplex): void {
    const extended = connection.session.extendedKeyUpdates !== undefined
    if (!extended) connection.once('keyUpdate', () => this.#note('the server has changed its key'))
    connection.updateKeys(true)
    const asked = 'changed our key and asked the server to do the same'
    this.#note(extended ? 'asked the server for an extended key update' : asked)
  }

  async #open(more: Partial<ClientConfig> & { readonly send?: Uint8Array | undefined }): Promise<TlsDuplex> {
    const { send, ...config } = more
    const { host, port } = this.#target
    const socket = await reach(host, port)
    const hello = new HelloReader(this.#config.provider)
    socket.on('data', bytes => hello.see(new Uint8Array(bytes)))
    this.#chain = []
    const record = this.#recorded(config.resume === undefined ? 'a handshake' : 'a resumption')
    const own = { ...this.#config, ...config, ...this.#traced(socket, record) }
    const connection = clientOver(socket, own)
    connection.once('earlyData', accepted => {
      if (send === undefined) return
      this.#note(`early data: ${accepted ? 'accepted' : 'rejected, sent again'}`)
      if (!accepted) connection.write(send)
    })
    if (send !== undefined) this.#early(connection, send)
    try {
      await once(connection, 'secureConnect')
    } catch (error) {
      throw described(error)
    }
    for (const line of handshakeLines(connection, hello)) this.#note(line)
    for (const line of certificateLines(this.#chain)) this.#note(line)
    this.#dump(connection)
    if (record !== undefined) noteStates(connection, record)
    return connection
  }

  #recorded(title: string): RecordedTap | undefined {
    const { recorder } = this.#kept
    const { provider } = this.#config
    return recorder && recorded(recorder, { title, own: 'client', provider, clock: SYSTEM_CLOCK })
  }

  #early(connection: TlsDuplex, data: Uint8Array): void {
    const sent = connection.sendEarly(data)
    this.#note(`early data: ${sent} of ${data.length} bytes sent`)
    if (sent < data.length) connection.write(data.subarray(sent))
  }

  /** @throws CommandError the file cannot be written */
  #dump({ session }: TlsDuplex): void {
    const file = this.#values.dump
    if (file === undefined) return
    writePrivate('dump', file, openPrivate('dump', file), encode(SessionState, session.snapshot()))
  }

  #traced(socket: Socket, record: RecordedTap | undefined): Pick<ClientConfig, 'onSecret'> {
    const { capture } = this.#kept
    const traces: Tap[] = record === undefined ? [] : [record]
    if (capture !== undefined) traces.push(captured(capture, SYSTEM_CLOCK, 'client'))
    if (this.#values.trace) {
      const write = (line: string): void => void process.stderr.write(`${printable(line)}\n`)
      traces.push(new ConnectionTrace(this.#config.provider, 'client', write))
    }
    let { onSecret } = this.#config
    for (const trace of traces) {
      tapSocket(socket, trace)
      onSecret = trace.onSecret(onSecret)
    }
    return onSecret === undefined ? {} : { onSecret }
  }

  #note(line: string): void {
    if (!this.#values.quiet) process.stderr.write(`${printable(line)}\n`)
  }
}

/** @throws CommandError if nothing answers there, at any address of that name */
async function reach(host: string, port: number): Promise<Socket> {
  try {
    return await dial({ scheme: 'tls', host, port }, {}, SYSTEM_CLOCK, new AbortController().signal)
  } catch (error) {
    throw new CommandError(`cannot connect to ${host} port ${port}: ${(error as ConnectError).code}`)
  }
}

/** The state behind the handshake, and the last one with which something of the server's has come. */
function noteStates(connection: TlsDuplex, record: RecordedTap): void {
  const { session } = connection
  record.state(session.snapshot(), 'after the handshake')
  connection.on('data', () => record.state(session.snapshot(), 'after the last answer'))
}

/** @throws UsageError for values that each make sense, and do not fit into one hello */
function clientOver(socket: Socket, config: ClientConfig): TlsDuplex {
  try {
    return TlsDuplex.client(socket, config, { allowHalfOpen: true })
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

function targetOf(target: string): Target {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(target) ?? []
  const host = bracketed ?? plain
  if (host === undefined || port === undefined)
    throw new UsageError('connect needs HOST:PORT; see hotpotato connect --help')
  if (!(Number(port) >= 1 && Number(port) <= 65_535))
    throw new UsageError(`PORT must be a whole number from 1 to 65535, not ${port}`)
  return { host, port: Number(port) }
}

async function clientConfig({ host }: Target, values: Values): Promise<ClientConfig> {
  const common = await commonConfig(values)
  const { provider } = common
  const { name, ...asked } = nameOf(values, host)
  const ids = provider.groups.map(({ id }) => id)
  return {
    ...common,
    verify: judgeOf(values, name),
    ...asked,
    keyShares: sharesOf(values, ids),
    certificates: ownCertificate(values, provider),
    requestStatus: true,
    postHandshakeAuth: values.cert !== undefined,
    ...(values['show-key-schedule'] ? { onSecret: showing(common.onSecret) } : {}),
  }
}

/** @throws UsageError a group that is not offered */
function sharesOf({ 'key-shares': names }: Values, ids: readonly number[]): readonly number[] {
  // As browsers do: one hybrid share, and one classic share for servers that do not know it.
  if (names === undefined) return [...new Set([ids[0]!, ids.find(id => id === NamedGroup.x25519) ?? ids[0]!])]
  return names.map(name => {
    const id = Object.entries(NamedGroup).find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1]
    if (id === undefined || !ids.includes(id))
      throw new UsageError(`--key-shares: no group ${name} is offered`)
    return id
  })
}

function nameOf({ servername }: Values, host: string): PeerName {
  try {
    return peerName(servername ?? host)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new UsageError(`${servername === undefined ? 'HOST' : '--servername'}: ${error.message}`)
  }
}

/** Says that it trusts any server, and does. */
const anyServer: CertificateVerifier = ([leaf]) => {
  process.stderr.write('note: --insecure: the certificate is not checked\n')
  return { publicKey: publicKeyOf(leaf!) }
}

/** An authority that makes no sense is a mistake, also where it is not asked. */
function judgeOf(values: Values, name: string): CertificateVerifier {
  const asked = values.insecure && values.ca === undefined ? undefined : trusting(values, name)
  return values.insecure || asked === undefined ? anyServer : asked
}

function trusting({ ca }: Values, name: string): CertificateVerifier {
  if (ca === undefined) return verifier({ name })
  try {
    return verifier({ name, ca: textOf('ca', ca) })
  } catch (error) {
    if (error instanceof TypeError) throw new CommandError(`--ca ${ca}: ${error.message}`)
    throw error
  }
}

function ownCertificate({ cert, key }: Values, provider: ClientConfig['provider']) {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key go together')
  if (cert === undefined || key === undefined) return []
  try {
    return [certificateFromPem(provider, textOf('cert', cert), textOf('key', key))]
  } catch (error) {
    if (error instanceof TypeError) throw new CommandError(`--cert ${cert} --key ${key}: ${error.message}`)
    throw error
  }
}

function showing(other: ClientConfig['onSecret']): NonNullable<ClientConfig['onSecret']> {
  return (exposed: ExposedSecret, clientRandom) => {
    process.stderr.write(`${secretLine(exposed)}\n`)
    other?.(exposed, clientRandom)
  }
}

function bytesOf(flag: string, file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file))
  } catch (error) {
    throw new CommandError(`--${flag} ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** An error of the connection as one line: for TLS the alert, the reason, and whose fault it was. */
function described(error: unknown): CommandError {
  const { message } = error as Error
  if (!(error instanceof TlsError)) return new CommandError(`the connection failed: ${message}`)
  const fault = { peer: "the server's", local: 'ours', configuration: "our configuration's" }[error.origin]
  return new CommandError(`TLS: ${message} (reason: ${error.reason}, fault: ${fault})`)
}
