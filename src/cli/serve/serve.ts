import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { ALPN_PROTOCOLS } from '../../http/alpn.ts'
import { DEFAULT_LIMITS } from '../../http/h1/index.ts'
import { DEFAULT_MEMORY, MemoryBudget } from '../../http/memory-budget.ts'
import { reasonOf } from '../../http/serving.ts'
import {
  type Certificate,
  type CryptoProvider,
  createReplayStore,
  createTicketKey,
  createTicketSealer,
  type ServerConfig,
  TlsError,
} from '../../tls13/index.ts'
import { TlsDuplex } from '../../tls13/io/duplex.ts'
import { certificateFromPem } from '../../tls13/io/pem.ts'
import { verifier } from '../../tls13/io/verify.ts'
import { serveConnection } from '../../transport/serve.ts'
import { type FlagValues, wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { note, outlastOutput, say } from '../terminal/output.ts'
import { textOf } from '../tls/file.ts'
import { commonConfig } from '../tls/tls-flags.ts'
import { application } from './application.ts'
import type { SERVE_FLAGS } from './flags.ts'
import { Handshake } from './handshake.ts'

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
  const config = await serverConfig(values)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket =>
    accept(socket, config, memory),
  )
  const host = values.host ?? '127.0.0.1'
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'another program is listening there' : String(code)
    throw new CommandError(`cannot listen on ${host} port ${port}: ${why}`)
  }
  outlastOutput()
  // That is how it is meant to end.
  process.once('SIGINT', () => process.exit(0))
  const address = server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  say(`listening on https://${shown}:${address.port}/ (provider ${config.provider.name})`)
}

/** One connection. Nothing that a client does ends the process. */
function accept(socket: Socket, config: ServerConfig, memory: MemoryBudget): void {
  const handshake = new Handshake()
  const connection = TlsDuplex.server(
    socket,
    { ...config, shape: message => handshake.see(message) },
    { allowHalfOpen: true },
  )
  connection.on('error', error => {
    const reason = error instanceof TlsError ? ` (${error.reason})` : ''
    note(`a connection ended: ${error.message}${reason}`)
  })
  connection.once('secureConnect', () => {
    const described = { ...handshake.describe(connection), provider: config.provider.name }
    const onFault = (error: unknown): void => note(`a connection failed: ${reasonOf(error)}`)
    serveConnection(connection, application(described), { limits: LIMITS, memory, onFault })
  })
}

async function serverConfig(values: FlagValues<typeof SERVE_FLAGS>): Promise<ServerConfig> {
  const { alpn = [...ALPN_PROTOCOLS] } = values
  const common = await commonConfig(values)
  const { provider } = common
  const certificates = certificatesOf(values, provider)
  if (certificates.length === 0 && common.psks === undefined)
    throw new UsageError('serve needs --cert and --key (npx hotpotato certs makes some), or --psk')
  const early = wholeNumber('early-data', values['early-data'] ?? '0', 0, 2 ** 32 - 1)
  const tickets = wholeNumber('tickets', values.tickets ?? '2', 0, 100)
  if (early > 0 && tickets === 0) throw new UsageError('--early-data needs tickets')
  return {
    ...common,
    alpn,
    certificates,
    ...clientCertificates(values),
    ...(tickets === 0
      ? {}
      : { tickets: { sealer: createTicketSealer(provider, [createTicketKey(provider)]), count: tickets } }),
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
