import type { Connected, ConnectOptions, Target } from '../connector.ts'

/**
 * A kind of transport: how connections of this kind are made.
 * @typeParam Needs what it has to be given beside the target: keys, paths, places where servers are found. A
 * context takes a kind only with all of it
 */
export interface Kind<Needs extends object = object> {
  /** For errors and logs. */
  readonly name: string
  /** @throws ConnectError (as rejection): nothing is left open then */
  connect(target: Target, options: ConnectOptions, given: Needs): Promise<Connected>
}
