import { readFileSync } from 'node:fs'
import { type FlagValues, wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { textOf } from '../tls/file.ts'
import { type Order, openClient } from './client.ts'
import type { STRESS_FLAGS } from './flags.ts'
import { makeLoad } from './load.ts'
import { type Done, toJson, toText } from './report.ts'
import { resolver } from './resolve.ts'
import { Tally } from './tally.ts'

type Values = FlagValues<typeof STRESS_FLAGS>

/** `hotpotato stress`. @throws UsageError, CommandError */
export async function stress(address: string, values: Values): Promise<void> {
  const order = orderOf(values, address)
  const connections = wholeNumber('connections', values.connections ?? '50', 1, 10_000)
  const rate = values.rate === undefined ? undefined : wholeNumber('rate', values.rate, 1, 1_000_000)
  const load = { ...amountOf(values), rate }
  // More connections than requests would never be used.
  const clients = Array.from({ length: Math.min(connections, load.requests) }, () => openClient(order))
  const stop = new AbortController()
  const end = (): void => {
    // The second time the user means it.
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
  }
  process.on('SIGINT', end)
  const tally = new Tally()
  try {
    const seconds = await makeLoad(clients, load, tally, stop.signal)
    const { url, http, keepAlive } = order
    const done: Done = {
      url: url.href,
      http,
      connections: clients.length,
      keepAlive,
      rate,
      seconds: Math.round(seconds * 1000) / 1000,
      brokenOff: stop.signal.aborted,
    }
    say(values.json ? toJson(done, tally) : toText(done, tally))
    if (tally.failures > 0) process.exitCode = 1
  } finally {
    process.off('SIGINT', end)
    for (const client of clients) client.close()
  }
}

function amountOf({ requests, seconds }: Values): { requests: number; milliseconds: number } {
  if (requests !== undefined && seconds !== undefined)
    throw new UsageError('use either --requests or --seconds, not both')
  if (seconds === undefined)
    return {
      requests: wholeNumber('requests', requests ?? '200', 1, 1e9),
      milliseconds: Number.POSITIVE_INFINITY,
    }
  return {
    requests: Number.MAX_SAFE_INTEGER,
    milliseconds: wholeNumber('seconds', seconds, 1, 86_400) * 1000,
  }
}

function orderOf(values: Values, address: string): Order {
  const { http = '1.1', ca } = values
  if (http !== '1.1' && http !== '2') throw new UsageError(`--http must be 1.1 or 2, not ${http}`)
  const body = bodyOf(values.data)
  const method = values.method ?? (body === undefined ? 'GET' : 'POST')
  if (!/^[A-Za-z]{1,32}$/.test(method)) throw new UsageError(`--method must be an HTTP method, not ${method}`)
  const url = urlOf(address)
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  return {
    url,
    method,
    headers: {
      ...headersOf(values.header),
      ...(body === undefined ? {} : { 'content-length': String(body.length) }),
    },
    body,
    http,
    keepAlive: !values['new-connections'],
    timeout: wholeNumber('timeout', values.timeout ?? '30', 1, 3600) * 1000,
    ca: ca === undefined ? undefined : textOf('ca', ca),
    insecure: values.insecure,
    lookup: resolver(values.resolve ?? [], port),
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new UsageError(`${text} is not an http or https URL`)
  return url
}

function headersOf(text: string | undefined): Record<string, string> {
  if (text === undefined) return {}
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new UsageError(`--header must be "NAME: VALUE", not ${text}`)
  return { [name.toLowerCase()]: value }
}

function bodyOf(data: string | undefined): Uint8Array | undefined {
  if (data === undefined) return undefined
  if (!data.startsWith('@')) return new TextEncoder().encode(data)
  const file = data.slice(1)
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandError(`--data ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
