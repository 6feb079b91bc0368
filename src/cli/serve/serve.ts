import { ALPN_PROTOCOLS } from '../../http/alpn.ts'
import { DEFAULT_LIMITS } from '../../http/h1/index.ts'
import { DEFAULT_MEMORY, MemoryBudget } from '../../http/memory-budget.ts'
import type { HttpHandlers } from '../../http/serving.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import {
  type Certificate,
  type CryptoProvider,
  createReplayStore,
  createTicketKey,
  createTicketSealer,
  type ServerConfig,
  type Session,
  TlsError,
} from '../../tls13/index.ts'
import { certificateFromPem } from '../../tls13/io/pem.ts'
import { verifier } from '../../tls13/io/verify.ts'
import type { HandshakeMessage } from '../../tls13/messages.ts'
import { Recorder } from '../../trace/recorder.ts'
import { leaveNoCore } from '../../transfer/native/inherited.ts'
import { tcp } from '../../transport/kinds/tcp.ts'
import type { TlsLayer } from '../../transport/layer.ts'
import type { Listener } from '../../transport/listener.ts'
import { secure } from '../../transport/secure.ts'
import { runServer } from '../../transport/server.ts'
import type { Transport } from '../../transport/transport.ts'
import { mustBeDistinct } from '../line/distinct.ts'
import { type FlagValues, wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { note, outlastOutput, say } from '../terminal/output.ts'
import { CaptureFile, captured } from '../tls/capture-file.ts'
import { textOf, writtenBoth } from '../tls/file.ts'
import { RecordingFile } from '../tls/recording-file.ts'
import { letLookOn } from '../tls/spectator.ts'
import { commonConfig } from '../tls/tls-flags.ts'
import { application } from './application.ts'
import type { SERVE_FLAGS } from './flags.ts'
import { Handshake } from './handshake.ts'
import { type Below, recording, type TapMaker, tapping, tracing } from './taps.ts'

// What is echoed is not kept, so there is no need to bound it.
const LIMITS = {
  http1: { ...DEFAULT_LIMITS, bodyBytes: Number.MAX_SAFE_INTEGER, requests: Number.MAX_SAFE_INTEGER },
}

/**
 * `hotpotato serve`: what `openssl s_server` is for OpenSSL. It stays until it is killed. @throws UsageError,
 * CommandError
 */
export async function serve(values: FlagValues<typeof SERVE_FLAGS>): Promise<void> {
  const port = wholeNumber('port', values.port ?? '4433', 0, 65_535)
  const memory = new MemoryBudget(
    wholeNumber('memory', values.memory ?? String(DEFAULT_MEMORY), 0, Number.MAX_SAFE_INTEGER),
  )
  const given = (name: string, files: readonly string[] = []) => files.map(file => [name, file] as const)
  mustBeDistinct(writtenBoth(values), [
    ...given('--cert', values.cert),
    ...given('--key', values.key),
    ['--client-ca', values['client-ca']],
  ])
  leaveNoCore()
  const config = await serverConfig(values)
  const host = values.host ?? '127.0.0.1'
  const file = values.pcap === undefined ? undefined : new CaptureFile(values.pcap)
  const record = values.record === undefined ? undefined : new RecordingFile(values.record)
  const recorder = new Recorder('hotpotato serve')
  const taps: TapMaker[] = values.trace ? [tracing(config.provider)] : []
  if (record !== undefined) taps.push(recording(recorder, config.provider))
  if (file !== undefined) taps.push(() => captured(file.capture, SYSTEM_CLOCK, 'server'))
  const { address } = await runServer({
    transport: listening(host, port),
    clock: SYSTEM_CLOCK,
    tls: noted(config, tapping(config, taps)),
    limits: LIMITS,
    memory,
    failed: ({ stage, error }) => {
      const reason = error instanceof TlsError ? ` (${error.reason})` : ''
      const what = stage === 'handshake' ? 'ended' : 'failed'
      note(`a connection ${what}: ${error.message}${reason}`)
    },
    request: (request, response, { session }) => APPLICATIONS.get(session!)?.request(request, response),
  })
  outlastOutput()
  if (record !== undefined) letLookOn(recorder)
  // What was seen is kept, however it ends.
  process.once('exit', () => {
    file?.end()
    recorder.end(SYSTEM_CLOCK.wall())
    record?.end(recorder.recording())
  })
  // That is how it is meant to end: by hand, with its terminal, or with the program that started it with a
  // channel.
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const)
    process.on(event, () => process.exit())
  const shown = address.address?.includes(':') ? `[${address.address}]` : address.address
  say(`listening on https://${shown}:${address.port}/ (provider ${config.provider.name})`)
}

async function listening(host: string, port: number): Promise<Listener> {
  try {
    return await tcp.listen({ host, port })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'another program is listening there' : String(code)
    throw new CommandError(`cannot listen on ${host} port ${port}: ${why}`)
  }
}

/** What is answered on the connections that there are: each tells of its own handshake. */
const APPLICATIONS = new WeakMap<Session, HttpHandlers>()

/** Our TLS, with notes of its handshakes. */
function noted(config: ServerConfig, below: (transport: Transport) => Below): TlsLayer {
  return () =>
    async ({ transport }, options) => {
      const handshake = new Handshake()
      const shape = (message: HandshakeMessage) => handshake.see(message)
      const { transport: carried, config: own, taps } = below(transport)
      const carrier = await secure(carried, { ...own, shape }, options)
      const { session } = carrier
      for (const tap of taps) tap.secured?.(session)
      const described = { ...handshake.describe(session), provider: config.provider.name }
      APPLICATIONS.set(session, application(described))
      return carrier
    }
}

async function serverConfig(values: FlagValues<typeof SERVE_FLAGS>): Promise<ServerConfig> {
  const { alpn = [...ALPN_PROTOCOLS] } = values
  const common = await commonConfig(values)
  const { provider } = common
  const certificates = certificatesOf(values, provider)
  if (certificates.length === 0 && common.psks === undefined)
    throw new UsageError('serve needs --cert and --key (npx --no hotpotato certs makes some), or --psk')
  const early = wholeNumber('early-data', values['early-data'] ?? '0', 0, 2 ** 32 - 1)
  const tickets = wholeNumber('tickets', values.tickets ?? '2', 0, 100)
  const lifetimeSeconds = wholeNumber('ticket-seconds', values['ticket-seconds'] ?? '7200', 1, 604_800)
  const sealer = createTicketSealer(provider, [createTicketKey(provider)])
  if (early > 0 && tickets === 0) throw new UsageError('--early-data needs tickets')
  return {
    ...common,
    alpn,
    certificates,
    ...clientCertificates(values),
    ...(tickets === 0 ? {} : { tickets: { sealer, count: tickets, lifetimeSeconds } }),
    ...(early === 0 ? {} : { earlyData: { maximum: early, replay: createReplayStore() } }),
  }
}

function certificatesOf(
  { cert = [], key = [] }: FlagValues<typeof SERVE_FLAGS>,
  provider: CryptoProvider,
): Certificate[] {
  if (cert.length !== key.length) throw new UsageError('each --cert needs its --key')
  const named = cert.map((file, index) => {
    const [chain, privateKey] = [textOf('cert', file), textOf('key', key[index]!)]
    try {
      return certificateFromPem(provider, chain, privateKey, 'own')
    } catch (error) {
      throw new CommandError(`--cert ${file} --key ${key[index]}: ${(error as Error).message}`)
    }
  })
  // What a client asks for decides; one that asks for another name, or for none, gets what comes first.
  return [...named, ...named.map(({ names: _names, ...others }) => others)]
}

function clientCertificates(
  values: FlagValues<typeof SERVE_FLAGS>,
): Pick<ServerConfig, 'clientCertificates'> {
  const { mtls = 'none', 'client-ca': file } = values
  if (!['none', 'request', 'require'].includes(mtls))
    throw new UsageError(`--mtls must be none, request or require, not ${mtls}`)
  if (mtls === 'none') return {}
  if (file === undefined) throw new UsageError(`--mtls ${mtls} needs --client-ca`)
  try {
    const verify = verifier({ ca: textOf('client-ca', file), purpose: 'client' })
    return { clientCertificates: { required: mtls === 'require', verify } }
  } catch (error) {
    if (error instanceof TypeError) throw new CommandError(`--client-ca ${file}: ${error.message}`)
    throw error
  }
}
