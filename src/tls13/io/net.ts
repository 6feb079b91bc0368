import { connect as connectSocket, createServer as createSocketServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Certificate } from '../authentication.ts'
import type { ClientConfig, CommonConfig, ServerConfig } from '../config.ts'
import { checkClientConfig, checkConfig } from '../config-rules.ts'
import { node } from '../crypto/node.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { createReplayStore } from '../replay.ts'
import { createTicketKey, createTicketSealer } from '../ticket.ts'
import { checkPatience } from './deadlines.ts'
import { TlsDuplex, type TlsDuplexOptions } from './duplex.ts'
import { keyLogFile } from './key-log-file.ts'
import { owning } from './owning.ts'
import { peerName } from './peer-name.ts'
import { certificateFromPem } from './pem.ts'
import { type VerifierOptions, verifier } from './verify.ts'

/** What {@link connect} and {@link createServer} have in common. */
export interface CommonOptions extends TlsDuplexOptions {
  /** Default: `node`. */
  readonly provider?: CryptoProvider
  /**
   * Where to append all secrets in the SSLKEYLOGFILE format. Default: the environment variable of that name;
   * off if there is none.
   */
  readonly keyLogFile?: string
  /** Emit `keylog` events on the connection; default false. */
  readonly keyLog?: boolean
}

/** What a client's configuration comes of. */
export interface ClientOptions
  extends Pick<CommonOptions, 'provider' | 'keyLogFile'>,
    Omit<ClientConfig, 'provider' | 'verify'>,
    Pick<VerifierOptions, 'ca' | 'checkName'> {
  /** Instead of the platform's verifier with `ca` and `checkName`. */
  readonly verify?: ClientConfig['verify']
  /**
   * A certificate of our own, for servers that ask for one: a chain, the end-entity certificate first; PEM or
   * DER.
   */
  readonly cert?: CertificateSource
  /** Its private key, PEM. */
  readonly key?: string
}

export interface ConnectOptions extends CommonOptions, ClientOptions {
  /** Default: localhost. */
  readonly host?: string
  readonly port?: number
  /** A Unix socket instead of host and port. */
  readonly path?: string
  /** A stream that is there already, instead of either. */
  readonly stream?: Duplex
}

type CertificateSource = string | Uint8Array | readonly (string | Uint8Array)[]

/** The certificates that are ready, and the one that is given as files hold it. */
function certificatesOf(
  provider: CryptoProvider,
  { certificates = [], cert, key }: Pick<ConnectOptions, 'certificates' | 'cert' | 'key'>,
): readonly Certificate[] {
  if ((cert === undefined) !== (key === undefined)) throw new TypeError('cert and key go together')
  if (cert === undefined || key === undefined) return certificates
  return [...certificates, certificateFromPem(provider, cert, key)]
}

/**
 * Connects, as a client. The name asked for is `serverName`, or else `host`, in ASCII and without a dot at
 * its end. An IP address is no server name (RFC 6066 §3), but is what the certificate is held against.
 * @returns at once; `secureConnect` comes when the handshake is over @throws TypeError for options that make
 * no sense: nothing is dialled then, and a `stream` is destroyed
 */
export function connect(options: ConnectOptions): TlsDuplex {
  return owning(options.stream, () => connected(options))
}

function connected(options: ConnectOptions): TlsDuplex {
  const { host = 'localhost', port, path, stream, allowHalfOpen, handshakeTimeout, keyLog } = options
  if (stream === undefined && path === undefined && port === undefined) {
    throw new TypeError('connect needs a port, a path or a stream')
  }
  const config = toClientConfig(options, host)
  checkPatience(handshakeTimeout)
  const below =
    stream ??
    (path === undefined
      ? connectSocket({ host, port: port!, allowHalfOpen: true, noDelay: true })
      : connectSocket({ path, allowHalfOpen: true }))
  return TlsDuplex.client(below, config, defined({ allowHalfOpen, handshakeTimeout, keyLog }))
}

/**
 * A client's configuration, with what options say in files' words. @param host the name asked for, unless
 * `serverName` says another @throws TypeError for options that make no sense
 */
export function toClientConfig(options: ClientOptions, host: string): ClientConfig {
  const { provider = node, serverName, ca, checkName, verify, cert, key, keyLogFile: _, ...others } = options
  const { name, ...asked } = peerName(serverName ?? host)
  const check: VerifierOptions = { ...defined({ ca, checkName }), name }
  const config: ClientConfig = {
    ...others,
    ...asked,
    ...secretsOf(options),
    provider,
    certificates: certificatesOf(provider, { ...defined({ cert, key }), ...others }),
    verify: verify ?? verifier(check),
  }
  checkClientConfig(config)
  return config
}

export interface ServerOptions
  extends CommonOptions,
    Omit<ServerConfig, 'provider' | 'certificates' | 'tickets' | 'clientCertificates' | 'earlyData'> {
  /** Certificates that are ready to sign; beside or instead of `cert` and `key`. */
  readonly certificates?: readonly Certificate[]
  /** A chain, the end-entity certificate first; PEM or DER. */
  readonly cert?: CertificateSource
  /** Its private key, PEM. */
  readonly key?: string
  /** Ask clients for a certificate. `ca`: whom to trust for them, instead of `verify`. */
  readonly clientCertificates?: Omit<NonNullable<ServerConfig['clientCertificates']>, 'verify'> &
    Partial<Pick<NonNullable<ServerConfig['clientCertificates']>, 'verify'>> &
    Pick<VerifierOptions, 'ca'>
  /**
   * Take early data. Without `replay`, this server remembers by itself, which needs tickets that no other
   * process can open.
   */
  readonly earlyData?: Omit<NonNullable<ServerConfig['earlyData']>, 'replay'> &
    Partial<Pick<NonNullable<ServerConfig['earlyData']>, 'replay'>>
  /** Default: tickets under a key that lives as long as the server; false: none. */
  readonly tickets?: ServerConfig['tickets'] | false
}

/**
 * A server; `listen()` is still to be called. A connection whose handshake begins is emitted as
 * `tlsConnection`: an application that answers its questions listens there. Errors of a connection are
 * emitted on the server as `tlsClientError` (error, connection), so that no client can end the process;
 * listeners of the connection's own `error` get them too.
 * @param onConnection called when a handshake is over @throws TypeError for options that make no sense
 */
export function createServer(options: ServerOptions, onConnection: (connection: TlsDuplex) => void): Server {
  const { allowHalfOpen, handshakeTimeout, keyLog, clock, ...others } = options
  const config = toServerConfig(others)
  checkPatience(handshakeTimeout)
  const duplexOptions = defined({ allowHalfOpen, handshakeTimeout, keyLog, clock })
  const server = createSocketServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const connection = TlsDuplex.server(socket, config, duplexOptions)
    connection.on('error', error => server.emit('tlsClientError', error, connection))
    server.emit('tlsConnection', connection)
    connection.once('secureConnect', () => onConnection(connection))
  })
  return server
}

/** A server's configuration, with what options say in files' words. @throws TypeError for no sense in them */
export function toServerConfig(
  options: Omit<ServerOptions, keyof TlsDuplexOptions | 'keyLog'>,
): ServerConfig {
  const {
    provider = node,
    certificates,
    cert,
    key,
    tickets,
    clientCertificates,
    earlyData,
    keyLogFile: _file,
    ...config
  } = options
  const ours = certificatesOf(provider, defined({ certificates, cert, key }))
  if (ours.length === 0) throw new TypeError('a server needs a certificate')
  const serverConfig: ServerConfig = {
    ...config,
    ...secretsOf(options),
    provider,
    certificates: ours,
    ...(clientCertificates === undefined ? {} : { clientCertificates: wanted(clientCertificates) }),
    ...(earlyData === undefined ? {} : { earlyData: remembered(earlyData, tickets) }),
    ...(tickets === false ? {} : { tickets: tickets ?? ownTickets(provider) }),
  }
  checkConfig(serverConfig)
  return serverConfig
}

function wanted({
  ca,
  verify,
  ...others
}: NonNullable<ServerOptions['clientCertificates']>): NonNullable<ServerConfig['clientCertificates']> {
  if (verify === undefined && ca === undefined)
    throw new TypeError('clientCertificates needs the authorities to trust')
  return { ...others, verify: verify ?? verifier({ ...defined({ ca }), purpose: 'client' }) }
}

function remembered(
  { replay, ...others }: NonNullable<ServerOptions['earlyData']>,
  tickets: ServerOptions['tickets'],
): NonNullable<ServerConfig['earlyData']> {
  if (replay === undefined && tickets !== undefined) {
    throw new TypeError(
      'earlyData: with tickets of your own, ' +
        '`replay` must remember hellos for every process that can open them',
    )
  }
  return { ...others, replay: replay ?? createReplayStore() }
}

function ownTickets(provider: CryptoProvider): NonNullable<ServerConfig['tickets']> {
  return { sealer: createTicketSealer(provider, [createTicketKey(provider)]) }
}

/** All listeners for secrets in one function; nothing if there are none. */
function secretsOf(
  options: Pick<CommonOptions, 'keyLogFile'> & Pick<CommonConfig, 'onSecret'>,
): Pick<CommonConfig, 'onSecret'> {
  const path = options.keyLogFile ?? process.env.SSLKEYLOGFILE
  if (path === undefined || path === '') return {}
  const { onSecret } = options
  const log = keyLogFile(path)
  return {
    onSecret(exposed, clientRandom) {
      onSecret?.(exposed, clientRandom)
      log(exposed, clientRandom)
    },
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** The same record without what is undefined, which is not the same as absent. */
function defined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>
}
