/* How many processes of each other host can be reached, as the link tells it among its counters. */

const PREFIX = 'host '

/** The name of the counter of one host. */
export function hostCounter(host: string): string {
  return `${PREFIX}${host}`
}

/** The hosts that can be reached, and how many processes of each. */
export function hostsOf(counters: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const found = Object.entries(counters).filter(([name]) => name.startsWith(PREFIX))
  return new Map(found.map(([name, count]) => [name.slice(PREFIX.length), count]))
}
