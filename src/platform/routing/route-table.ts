import type { RoutesMessage } from '../../transfer/control.ts'
import type { CarrierName } from '../carrier.ts'
import type { Retries } from '../retries.ts'
import type { RouteEntry } from '../routes.ts'

/** What every process knows of all functions, and may be told anew while it runs. */
export interface RouteTable {
  readonly functionNames: readonly string[]
  /** By function. */
  readonly retries: Readonly<Record<string, Retries>>
  /** How connections reach it, by function. */
  readonly carriers: Readonly<Record<string, CarrierName>>
  /** The hosts that name them. */
  readonly routes: readonly RouteEntry[]
  /** For clients that give no name. */
  readonly defaultFunction: string | undefined
}

/** A table as it is sent. */
export function tableMessage(table: RouteTable): RoutesMessage {
  const { functionNames, retries, carriers, routes, defaultFunction = '' } = table
  return {
    functions: functionNames.map(name => ({
      name,
      retries: retries[name] ?? 'idempotent',
      carrier: carriers[name] ?? 'fd',
    })),
    hosts: routes.map(({ host, function: functionName }) => ({ host, functionName })),
    defaultFunction,
  }
}

/** The table that a message brings. */
export function tableOf({ functions, hosts, defaultFunction }: RoutesMessage): RouteTable {
  return {
    functionNames: functions.map(({ name }) => name),
    retries: Object.fromEntries(functions.map(({ name, retries }) => [name, retries])),
    carriers: Object.fromEntries(functions.map(({ name, carrier }) => [name, carrier])),
    routes: hosts.map(({ host, functionName }) => ({ host, function: functionName })),
    defaultFunction: defaultFunction === '' ? undefined : defaultFunction,
  }
}
