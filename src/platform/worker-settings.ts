import type { H1Limits } from '../http/h1/index.ts'
import type { TimerSettings } from '../http/timers.ts'
import type { AccessLogSetting } from './log.ts'
import type { MemberSettings } from './membership.ts'
import type { ForkSettings, ProgramSettings } from './program-settings.ts'
import type { QueueSettings } from './queue-settings.ts'
import type { Retries } from './retries.ts'
import type { RouteEntry } from './routes.ts'

/** What a container is told at its start. */
export interface WorkerSettings extends MemberSettings {
  readonly functionName: string
  /** The name of a shipped function, or the path of a module. */
  readonly handler: string
  /** The program that is its function, if it is no module. */
  readonly program?: ProgramSettings | undefined
  /** The bundle that it is, if it is sealed. */
  readonly sealed?: SealedSettings | undefined
  /** What it keeps, if it is the queue of asynchronous calls. */
  readonly queue?: QueueSettings | undefined
  /** Where the gateway takes requests without TLS; told by the supervisor. */
  readonly frontDoor?: FrontDoorSettings
  /** The template that it is written for, as `node22`; undefined: the platform's own contract. */
  readonly lang: string | undefined
  /** The directory in memory with its secrets; undefined: it has none. */
  readonly secretsDirectory?: string
  /** What the function finds in `env` and in `process.env`. */
  readonly environment: Readonly<Record<string, string>>
  /** All functions there are. */
  readonly functionNames: readonly string[]
  /** By function. */
  readonly retries: Readonly<Record<string, Retries>>
  /** The hosts that name them. */
  readonly routes: readonly RouteEntry[]
  /** Undefined: the signer has it, or no handshake ends here. */
  readonly certificate: CertificateSettings | undefined
  /** What it denies itself. */
  readonly restraint?: Restraint
  readonly tls: TlsSettings
  /** A file with the authorities (PEM) of whom clients must show a certificate; undefined: they need none. */
  readonly clientAuthorities: string | undefined
  readonly timers: TimerSettings
  /** What says how long its function has, if that is not `connection.timers.handler`. */
  readonly handlerKey?: string | undefined
  /** That a request for another function waits for an HTTP/2 connection to become quiet. */
  readonly quietMilliseconds: number
  /** Moves that it rehearses with itself, so that real ones are fast from the first one on. */
  readonly rehearsals: number
  /** Functions with whose containers it keeps seats for connections that go there; none if undefined. */
  readonly warm?: readonly string[]
  /** Whether there is a signer, which keeps the ring of its function. */
  readonly signer?: boolean
  /**
   * Milliseconds for which it rehearses without pauses as soon as it is ready; 0 or undefined: it does so in
   * idle time alone.
   */
  readonly rehearsesAtOnce?: number
  /** Whether the platform teaches: it tells the supervisor secrets of its connections, if it is asked. */
  readonly teach?: boolean
  /** Its process has been in the warm pool: it is warmed up already. */
  readonly warmed?: boolean
  /** Clients wait for it: it practises nothing before it serves them. */
  readonly awaited?: boolean
  /** Its function has thrown outside of its calls before: whose fault that is is followed. */
  readonly followsCalls?: boolean
  readonly http: H1Limits
  /** That its connections may hold together; 0: as much as there is. */
  readonly memoryBytes: number
  /** Requests that its function works on at once; 0: any number. */
  readonly maxInflight: number
  /** What is written of each call of its function. */
  readonly accessLog: AccessLogSetting
  /** Whether HTTP/2 is offered in ALPN. */
  readonly http2: boolean
  /** Requests that a client may have open at once on one connection of HTTP/2. */
  readonly streams: number
}

/** Where the platform's own processes send requests, and the mark by which the others know theirs. */
export interface FrontDoorSettings {
  readonly host: string
  readonly port: number
  /** A secret of this platform's processes, as long as it runs. */
  readonly mark: string
}

/** Where a container finds its certificate: `NAME.crt` and `NAME.key`. */
export interface CertificateSettings {
  readonly directory: string
  readonly name: string
  /** The numbers of descriptors with these files open, for a container that cannot open them itself. */
  readonly inherited?: { readonly chain: number; readonly key: number }
}

/** What of TLS can be configured. */
export interface TlsSettings {
  /**
   * Key exchange groups by name, in order of preference; undefined: hybrids first, then the provider's own.
   */
  readonly groups: readonly string[] | undefined
  /** That a handshake waits for a signature of the signer. */
  readonly signatureSeconds: number
  /** Whether clients that offer it get extended key updates, one after each move. */
  readonly extendedKeyUpdate: boolean
  readonly tickets: {
    /** Sent after each handshake; 0: no resumption. */
    readonly count: number
    readonly lifetimeSeconds: number
    /** How long one key seals tickets before the next one does. */
    readonly rotationSeconds: number
  }
}

/**
 * What a container may have of the machine: it sets that for itself before it loads its function, and can
 * only lower it from there on. It never leaves a core file: there would be keys in it.
 */
export interface Restraint {
  /** Processes and threads that its user may have; undefined: as many as before. */
  readonly processes?: number
  /** Bytes of the largest file that it may write; undefined: as before. */
  readonly fileBytes?: number
}

/** What a container of a sealed function is told of it. */
export interface SealedSettings {
  /** The file of the bundle. */
  readonly bundle: string
  /** That a key is remembered, and a worker waits for the next request with it; 0: not at all. */
  readonly cacheMilliseconds: number
  /** Empty workers that are started ahead. */
  readonly warm: number
  /** The directory for what the function leaves behind, sealed. */
  readonly directory: string
  /** What holds for one process a request, if it is in Python. */
  readonly fork?: ForkSettings | undefined
}
