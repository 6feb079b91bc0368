import { lookup } from 'node:dns/promises'
import { join, relative } from 'node:path'
import { netdServes } from '../../platform/netd/client.ts'
import type { Config, FunctionConfig } from '../../stack/config.ts'
import type { Ports } from '../../supervisor/supervisor.ts'
import { familyOf } from '../../tls13/io/ip-address.ts'
import { LOG_FILE } from '../platform/run-directory.ts'

const NO_NETD =
  '  netd    does not answer: connections go to other hosts by relay until it does (hotpotato netd)\n'

/** Addresses to listen on that none can be reached by, and where one does reach what listens there. */
const EVERYWHERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/**
 * What `up` says when everything runs: what listens where, and commands to try, which work as they stand.
 * @param broken functions that cannot start
 * @param how what a user types for another command, as `npm stop` for `stop`
 */
export async function welcome(
  { gateway, admin, functions, certificates, runDirectory, hosts }: Config,
  { http, https, ...ports }: Ports & { readonly admin?: number; readonly page?: string | undefined },
  broken: ReadonlySet<string>,
  how: (command: string) => string,
): Promise<string> {
  const { address } = await lookup(gateway.host)
  const netdLine = hosts?.carrier === 'repair' && !(await netdServes(runDirectory)) ? NO_NETD : ''
  const host = EVERYWHERE[address] ?? address
  const every = [...functions.values()]
  const authority = join(nameOf(certificates), 'ca.crt')
  const at = `${bracketed(admin.host)}:${ports.admin}`
  const adminLine = ports.admin === undefined ? '' : `  admin   ${at}   (/metrics, /healthz)\n`
  const pageLine = ports.page === undefined ? '' : `  page    ${ports.page}\n`
  const serves = every.map(one => described(one, broken.has(one.name)))
  return `
hotpotato is running
  http    ${bracketed(address)}:${http}
  https   ${bracketed(address)}:${https}
${adminLine}${pageLine}  serves  ${serves.join('\n          ')}
  log     ${join(nameOf(runDirectory), LOG_FILE)}   (${how('logs -f')} follows it)
${netdLine}${page(gateway.defaultFunction, host, http)}${commandsToTry(
  every.filter(one => !broken.has(one.name) && isForAll(one)),
  authority,
  host,
  { http, https },
)}
Ctrl-C or ${how('stop')} ends everything.
`
}

/** Addresses by which `localhost` and `NAME.localhost` are known to browsers and curl (RFC 6761 §6.3). */
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1'])

/** Where a browser finds something; empty if there is no function for clients that name none. */
function page(defaultFunction: string | undefined, address: string, port: number): string {
  if (defaultFunction === undefined) return ''
  const name = LOOPBACK.has(address) ? 'localhost' : bracketed(address)
  return `  browser http://${name}:${port}/\n`
}

/** As in a URL. */
function bracketed(address: string): string {
  return familyOf(address) === 6 ? `[${address}]` : address
}

/** A directory as a user names it who is where this process is: in full, if it is not below. */
export function nameOf(directory: string): string {
  const name = relative(process.cwd(), directory)
  return name.startsWith('..') ? directory : name || '.'
}

function described({ name, hosts, replicas: { start } }: FunctionConfig, broken: boolean): string {
  const processes = start === 1 ? '' : `, ${start} processes`
  return `${name} (${hosts.join(', ') || 'no host'}${processes})${broken ? ', which cannot start' : ''}`
}

/** Whether it asks its clients for nothing, neither a key nor a certificate. */
function isForAll({ sealed, clientAuthorities }: FunctionConfig): boolean {
  return sealed === undefined && clientAuthorities === undefined
}

function isKnown(host: string): boolean {
  return host.endsWith('.localhost')
}

/** Requests as `printf` writes them, in words: each line ends as HTTP wants it. */
function printed(...lines: readonly string[]): readonly string[] {
  return ["printf '%s\\r\\n'", ...lines.map(line => `'${line}'`)]
}

/** Columns of a line that is printed, the backslash at its end included. */
const COLUMNS = 110

/** A command in lines as a shell continues them; a word that is longer than a line has one of its own. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = []
  let line = ' '
  for (const word of words) {
    if (line.trim() !== '' && line.length + 1 + word.length + ' \\'.length > COLUMNS) {
      lines.push(`${line} \\`)
      line = '   '
    }
    line += ` ${word}`
  }
  return [...lines, line].join('\n')
}

/**
 * Three commands that reach these functions; none if no function has a host.
 * @param address where they reach the gateway
 */
function commandsToTry(
  functions: readonly FunctionConfig[],
  authority: string,
  address: string,
  { http, https }: Ports,
): string {
  const reached = functions.flatMap(({ name, hosts }) => {
    const full = hosts.filter(one => !one.startsWith('*'))
    const host = (LOOPBACK.has(address) ? full.find(isKnown) : undefined) ?? full[0]
    return host === undefined ? [] : [{ name, host }]
  })
  const [first, second, third = first] = reached
  if (first === undefined || third === undefined) return ''
  const names = second === undefined ? [first.name] : [first.name, second.name, first.name]
  const urls = names.map(name => `https://${first.host}:${https}/${name}`)
  const requests = names.slice(0, 2).flatMap(name => ['', `GET /${name} HTTP/1.1`, `Host: ${first.host}`])
  const last = ['Connection: close', '']
  const two = printed(...requests.slice(1), ...last)
  const one = printed(`GET /${third.name} HTTP/1.1`, `Host: ${third.host}`, ...last)
  const at = bracketed(address)
  // A user need not say where such a host is.
  const where = isKnown(first.host) ? [] : [`--resolve ${first.host}:${https}:${at}`]
  const server = [`-connect ${at}:${https}`, `-servername ${first.host}`, `-CAfile ${authority}`, '-quiet']
  return `
one connection${second === undefined ? '' : ' that moves twice'}:
${wrapped(['curl -si', `--cacert ${authority}`, ...where, ...urls])}
the same with another client:
${wrapped([...two, '| openssl s_client', ...server])}
without TLS:
${wrapped([...one, `| nc ${address} ${http}`])}
`
}
