import { existsSync, readFileSync } from 'node:fs'
import { type IncomingMessage, type RequestOptions, request as requestInClear } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { KEY_FIELD } from '../../http/key-field.ts'
import { writeDataKey } from '../../sealed/credential.ts'
import type { Config } from '../../stack/config.ts'
import { CommandError, STATUS, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { hint } from '../platform/hint.ts'
import { ask, notRunning } from '../platform/order.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { readDataKey, readIdentity } from '../sealed/key-file.ts'
import { say, warn, write } from '../terminal/output.ts'
import { textOf } from '../tls/file.ts'
import { reachable, type Target, targetOf } from './target.ts'

/** What the command line says. */
export interface InvokeOptions {
  readonly async: boolean
  readonly callback: string | undefined
  readonly data: string | undefined
  readonly method: string | undefined
  readonly header: readonly string[] | undefined
  readonly identity: string | undefined
  readonly 'key-file': string | undefined
  readonly path: string | undefined
  readonly clear: boolean
  readonly include: boolean
  readonly ca: string | undefined
  readonly insecure: boolean
  readonly config: string | undefined
}

/** Methods whose requests have no content unless it is given. */
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

/**
 * Calls a function of the running platform, and prints what it answers, as it comes.
 * @throws UsageError, ConfigError, CommandError nothing runs, or there is no answer
 */
export async function invoke(name: string, options: InvokeOptions): Promise<void> {
  const method = methodOf(options)
  const headers = headersOf(options)
  const path = pathOf(options.path)
  const { config } = readConfiguration(options.config, process.env)
  const target = targetOf(name, config)
  if (options.async && !config.queue.enabled)
    throw new CommandError(
      'asynchronous calls are off; queue: { enabled: true } in the stack file is for them',
    )
  const { ports, functions } = await ask<PlatformStatus>('status', options)
  if (ports === undefined) throw new CommandError(`${notRunning(options.config)}: it is still starting`)
  if (!functions.some(one => one.name === name)) {
    const running = functions.map(one => one.name).join(', ')
    throw new CommandError(`${name} does not run, ${running} do; ${fresh(options)} starts it`)
  }
  const body = bodyOf(method, options)
  const port = options.clear ? ports.http : ports.https
  const order: RequestOptions = {
    host: reachable(config.gateway.host),
    port,
    method,
    path: options.async ? `/async-function/${name}${path}` : `${target.prefix}${path}`,
    headers: {
      host: `${target.host}:${port}`,
      // As faas-cli says unless it is told.
      ...(body === undefined ? {} : { 'content-type': 'text/plain' }),
      ...headers,
      ...keyOf(options),
    },
    agent: false,
    ...(options.clear ? {} : trust(config, target, options)),
  }
  const answer = await send(order, options.clear, body).catch((error: NodeJS.ErrnoException) => {
    throw failed(name, error, options)
  })
  await show(name, answer, options, config.functions.get(name)?.sealed !== undefined)
}

/** A key comes out of a file: others can see the words of a command. @throws UsageError, CommandError */
function keyOf({ identity, 'key-file': keyFile, data, clear }: InvokeOptions): Record<string, string> {
  if (identity === undefined && keyFile === undefined) return {}
  if (identity !== undefined && keyFile !== undefined)
    throw new UsageError('either --identity or --key-file: one key is enough')
  if (clear) throw new UsageError('a key goes over TLS alone, and not with --clear')
  if (keyFile === '-' && data === undefined)
    throw new UsageError('--key-file - reads standard input, so the body has to be in --data')
  const key = identity === undefined ? writeDataKey(readDataKey(keyFile!)) : readIdentity(identity)
  return { [KEY_FIELD]: key }
}

async function show(
  name: string,
  answer: IncomingMessage,
  options: InvokeOptions,
  isSealed: boolean,
): Promise<void> {
  const status = answer.statusCode ?? 0
  if (options.include) {
    await write(`HTTP/${answer.httpVersion} ${status} ${answer.statusMessage ?? ''}\n`)
    for (let at = 0; at < answer.rawHeaders.length; at += 2)
      say(`${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}`)
    say('')
  }
  const id = answer.headers['x-call-id']
  if (options.async && status === 202 && id !== undefined) {
    answer.resume()
    return say(String(id))
  }
  let last: number | undefined
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      await write(chunk)
      last = chunk.at(-1) ?? last
    }
  } catch (error) {
    throw new CommandError(`the answer of ${name} broke off: ${(error as Error).message}`)
  }
  // The prompt of the shell stands on a line of its own.
  if (process.stdout.isTTY === true && last !== undefined && last !== 0x0a) await write('\n')
  if (status < 400) return
  const advice = status === 401 && isSealed ? '; it is sealed: --identity or --key-file brings its key' : ''
  warn(`${name} answered ${status} ${answer.statusMessage ?? ''}${advice}`)
  process.exitCode = STATUS.failed
}

/** @returns once the head of the answer is there */
function send(order: RequestOptions, clear: boolean, body: Readable | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = (clear ? requestInClear : requestOverTls)(order)
    outgoing.on('error', reject)
    outgoing.on('response', answer => {
      // What is left of the input is of no use to a function that has answered.
      answer.once('end', () => process.stdin.destroy())
      resolve(answer)
    })
    if (body === undefined) outgoing.end()
    else body.on('error', reject).pipe(outgoing)
  })
}

/** Whose certificates are taken: the function's own, and those of the authority beside it. */
function trust({ certificates }: Config, { host, certificate }: Target, options: InvokeOptions) {
  const files = ['ca', certificate].map(name => join(certificates, `${name}.crt`)).filter(existsSync)
  const ca = options.ca === undefined ? files.map(file => textOf('ca', file)) : [textOf('ca', options.ca)]
  return { servername: host, ca, rejectUnauthorized: !options.insecure }
}

function failed(
  name: string,
  { code, message }: NodeJS.ErrnoException,
  { clear, config }: InvokeOptions,
): CommandError {
  // The gateway has no certificate, and no other words.
  if (!clear && /alert internal error/.test(message)) {
    const where = hint(`status ${name}`, config, process.env)
    return new CommandError(`${name} cannot be called: no container of it is ready; ${where} says why`)
  }
  if (!clear && /unrecognized name/.test(message))
    return new CommandError(
      `${name} cannot be called: what runs knows no host of it that the stack file names; ` +
        `${fresh({ config })} tells it`,
    )
  const certificate = !clear && /CERT|SIGNATURE|ALTNAME|ISSUER/.test(code ?? '')
  const advice = certificate
    ? '; --ca names its authority, --insecure does not check, --clear needs none'
    : ''
  // OpenSSL's message is a line of its source; its reason is in words.
  const [, why = message] = /^[^\n]*:SSL routines:[^:]*:([^:]+):/.exec(message) ?? []
  return new CommandError(`${name} cannot be called: ${why}${advice}`)
}

/** What has the platform do what the stack file says now. */
function fresh({ config }: Pick<InvokeOptions, 'config'>): string {
  return hint('reload', config, process.env)
}

function methodOf({ method = 'POST', async: later }: InvokeOptions): string {
  if (!/^[A-Za-z]{1,32}$/.test(method)) throw new UsageError(`--method must be an HTTP method, not ${method}`)
  if (later && method !== 'POST') throw new UsageError('--async takes no --method: such calls are POSTs')
  return method.toUpperCase()
}

function headersOf({ header = [], callback, async: later }: InvokeOptions): Record<string, string> {
  const found: Record<string, string> = {}
  for (const text of header) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? []
    if (name === undefined || value === undefined)
      throw new UsageError(`--header must be "NAME: VALUE", not ${JSON.stringify(text)}`)
    found[name.toLowerCase()] = value
  }
  if (callback === undefined) return found
  if (!later) throw new UsageError('--callback goes with --async')
  if (!URL.canParse(callback)) throw new UsageError(`--callback must be a URL, not ${callback}`)
  return { ...found, 'x-callback-url': callback }
}

function pathOf(path = '/'): string {
  const whole = path.startsWith('/') ? path : `/${path}`
  if (!/^[\x21-\x7e]+$/.test(whole))
    throw new UsageError('--path must have neither spaces nor letters beyond ASCII: write them as %20')
  return whole
}

/** The content: what is given, or standard input; undefined: none. @throws CommandError */
function bodyOf(method: string, { data }: InvokeOptions): Readable | undefined {
  if (data?.startsWith('@')) return Readable.from([bytesOf(data.slice(1))])
  if (data !== undefined) return Readable.from([Buffer.from(data)])
  if (WITHOUT_BODY.has(method)) return undefined
  if (process.stdin.isTTY === true) warn('the body comes from this terminal: Ctrl-D ends it')
  return process.stdin
}

function bytesOf(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandError(`--data ${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
