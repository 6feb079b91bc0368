import { readFileSync } from 'node:fs'
import { stringOf } from '../../wire/thrown.ts'
import type { FlagValues } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { textOf } from '../tls/file.ts'
import type { STRESS_FLAGS } from './flags.ts'
import type { Asked } from './plan.ts'

type Values = Pick<FlagValues<typeof STRESS_FLAGS>, 'method' | 'data' | 'header' | 'mix'>

/** Of one request: how often it comes in a round. */
const MOST_WEIGHT = 1000
const KEYS: readonly string[] = ['path', 'method', 'headers', 'body', 'weight']
/** What frames a request, and whom it is for, follows from the rest. */
const OURS = /^(host|content-length|transfer-encoding|connection|upgrade|:.*)$/i

/**
 * The requests of a load, in their order: one for each URL of the command line, or those of a file.
 * @param addresses the first one absolute, and where connections lead; others absolute or relative to it
 * @throws UsageError, CommandError
 */
export function askedOf(addresses: readonly string[], values: Values): readonly Asked[] {
  const origin = urlOf(addresses[0]!)
  const fields = (values.header ?? []).map(fieldOf)
  const { mix } = values
  if (mix !== undefined) return fileOf(mix, origin, fields)
  const content = values.data === undefined ? undefined : contentOf(values.data)
  const method = methodOf('--method', values.method ?? (content === undefined ? 'GET' : 'POST'))
  return addresses.map(address => ({ url: within(origin, address), method, fields, content }))
}

function fileOf(file: string, origin: URL, fields: Asked['fields']): Asked[] {
  let list: unknown
  try {
    list = JSON.parse(textOf('mix', file))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new CommandError(`--mix ${file}: not JSON: ${error.message}`)
  }
  if (!Array.isArray(list) || list.length === 0)
    throw new CommandError(`--mix ${file}: it must hold a list of requests`)
  return list.flatMap((one: unknown, index) => {
    try {
      return entryOf(one, origin, fields)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      throw new CommandError(`--mix ${file}: request ${index + 1}: ${error.message}`)
    }
  })
}

function entryOf(one: unknown, origin: URL, fields: Asked['fields']): Asked[] {
  if (typeof one !== 'object' || one === null || Array.isArray(one))
    throw new UsageError('it must be an object, such as {"path": "/"}')
  const unknown = Object.keys(one).find(key => !KEYS.includes(key))
  if (unknown !== undefined) throw new UsageError(`there is no ${unknown}: there are ${KEYS.join(', ')}`)
  const { path = '/', method, headers = {}, body, weight = 1 } = one as Record<string, unknown>
  if (typeof path !== 'string') throw new UsageError('path must be a text')
  if (body !== undefined && typeof body !== 'string') throw new UsageError('body must be a text')
  if (!Number.isInteger(weight) || (weight as number) < 1 || (weight as number) > MOST_WEIGHT)
    throw new UsageError(`weight must be a whole number from 1 to ${MOST_WEIGHT}`)
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
    throw new UsageError('headers must be an object, such as {"accept": "text/plain"}')
  const content = body === undefined ? undefined : contentOf(body)
  const asked: Asked = {
    url: within(origin, path),
    method: methodOf('method', method ?? (content === undefined ? 'GET' : 'POST')),
    fields: [...fields, ...Object.entries(headers).map(([name, value]) => fieldOf(`${name}: ${value}`))],
    content,
  }
  return Array.from({ length: weight as number }, () => asked)
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new UsageError(`${text.replace(/^.*@/s, '…@')} is not an http or https URL`)
  if (url.username !== '' || url.password !== '')
    throw new UsageError(`${url.origin}: no name and password in a URL; --header "Authorization: …" has them`)
  return url
}

/** A URL that the same connection may ask for: another host is possible, another scheme or port is not. */
function within(origin: URL, text: string): string {
  if (!URL.canParse(text, origin.href)) throw new UsageError(`${text} is neither a URL nor a path`)
  const url = urlOf(new URL(text, origin).href)
  if (url.protocol !== origin.protocol || url.port !== origin.port)
    throw new UsageError(`${text}: all requests go over connections to ${origin.origin}`)
  url.hash = ''
  return url.href
}

function methodOf(name: string, method: unknown): string {
  if (typeof method !== 'string' || !/^[A-Za-z]{1,32}$/.test(method) || /^connect$/i.test(method))
    throw new UsageError(`${name} must be an HTTP method, and not CONNECT, not ${stringOf(method)}`)
  return method
}

function fieldOf(text: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new UsageError(`--header must be "NAME: VALUE", not ${text}`)
  if (OURS.test(name)) throw new UsageError(`--header ${name}: what that says follows from the request`)
  return [name.toLowerCase(), value]
}

function contentOf(data: string): Uint8Array {
  if (!data.startsWith('@')) return new TextEncoder().encode(data)
  const file = data.slice(1)
  try {
    return new Uint8Array(readFileSync(file))
  } catch (error) {
    throw new CommandError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
