import type { Environment } from '../../functions/contract.ts'
import type { FunctionModule } from '../../functions/module.ts'
import type { Secrets } from '../../functions/secrets.ts'
import type { Log } from '../../platform/log.ts'
import type { Retries } from '../../platform/retries.ts'
import type { RouteEntry } from '../../platform/routes.ts'
import type { Clock } from '../../time/clock.ts'
import type { ServerConfig } from '../../tls13/index.ts'
import type { ConnectionLimits } from '../connection/connection-host.ts'
import type { AccessLog } from '../protocol/access-log.ts'
import type { KeyRing } from './key-ring.ts'
import type { Signing } from './signing.ts'

/** What a container is. */
export interface HostOptions {
  /** As `echo-1`. */
  readonly container: string
  readonly functionName: string
  readonly module: FunctionModule
  readonly environment: Environment
  readonly secrets?: Secrets | undefined
  /** The names of all functions that paths can name. */
  readonly functionNames: ReadonlySet<string>
  /** By function; `idempotent` for those that are not there. */
  readonly retries?: ReadonlyMap<string, Retries>
  /** The functions that hosts name. */
  readonly routes?: readonly RouteEntry[]
  readonly tls: ServerConfig
  readonly limits: ConnectionLimits
  readonly clock: Clock
  readonly log: Log
  readonly keyRing: KeyRing
  /** Where its certificate's key is, if it has none. */
  readonly signing?: Signing | undefined
  /** Bytes that connections may hold together; 0: no limit. */
  readonly memoryBytes?: number
  /** Requests that its function works on at once; 0: any number. */
  readonly maxInflight?: number | undefined
  /** Told of each call when it is over; undefined: nothing is. */
  readonly accessLog?: AccessLog | undefined
  /** By which it knows the queue of asynchronous calls. */
  readonly queueMark?: string | undefined
  /** Functions with whose containers this one keeps seats: see `seats.ts`. */
  readonly warm?: readonly string[] | undefined
  /** Whether it tells what its connections are, secrets included: see `revelation.ts`. */
  readonly teach?: boolean | undefined
}
