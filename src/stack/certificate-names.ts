import type { FunctionConfig } from './function.ts'

/** A certificate that functions of a configuration use. */
export interface NeededCertificate {
  readonly name: string
  /** Those that the configuration names. */
  readonly hosts: readonly string[]
  /** Those that functions have because the configuration names none for them. */
  readonly defaults: readonly string[]
}

/** The certificates that a configuration needs: several functions may use one. */
export function certificateNames({
  functions,
}: {
  readonly functions: ReadonlyMap<string, FunctionConfig>
}): NeededCertificate[] {
  const all = [...functions.values()]
  const hostsOf = (name: string, named: boolean): string[] =>
    all.filter(one => one.certificate === name && one.namesHosts === named).flatMap(({ hosts }) => hosts)
  return [...new Set(all.map(({ certificate }) => certificate))].map(name => ({
    name,
    hosts: hostsOf(name, true),
    defaults: hostsOf(name, false),
  }))
}
