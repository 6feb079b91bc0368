/* How many connections of each function hibernate, as gateways tell it among the counters of their status. */

const PREFIX = 'hibernating '

/** The name of the counter of one function. */
export function restCounter(functionName: string): string {
  return `${PREFIX}${functionName}`
}

/** How many of that function hibernate with the process whose counters these are. */
export function restsOf(counters: Readonly<Record<string, number>>, functionName: string): number {
  return counters[restCounter(functionName)] ?? 0
}
