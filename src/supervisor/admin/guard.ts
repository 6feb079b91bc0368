import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { familyOf } from '../../tls13/io/ip-address.ts'

/*
 * What keeps pages of this machine to this machine: who may ask, and what a page may do.
 */

/**
 * A page of another site reaches a port of this machine if its name leads here (DNS rebinding): then its name
 * is what Host says.
 */
export function isLocal(host: string | undefined): boolean {
  const name = host?.replace(/:\d{1,5}$/, '').toLowerCase()
  return name === 'localhost' || name === '[::1]' || (familyOf(name ?? '') === 4 && name!.startsWith('127.'))
}

/**
 * Whether a page of another site asks. Browsers say so by themselves: of what a link in one opens not, and
 * that is the page alone, which tells nothing.
 */
export function isForeign({ host = '', origin, ...fields }: IncomingMessage['headers']): boolean {
  if (origin !== undefined && origin !== `http://${host.toLowerCase()}`) return true
  const site = fields['sec-fetch-site']
  const opened = fields['sec-fetch-mode'] === 'navigate' && fields['sec-fetch-dest'] === 'document'
  return site !== undefined && site !== 'same-origin' && site !== 'none' && !opened
}

/** A page, and the policy that goes with it. */
export interface BuiltPage {
  readonly text: string
  readonly policy: string
}

/**
 * A page as it was built: only its own script and style run, and it asks its own port alone.
 * @throws Error there is no such file
 */
export function readPage(file: string): BuiltPage {
  const text = readFileSync(file, 'utf8')
  const hashes = (tag: string): string =>
    [...text.matchAll(new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))]
      .map(([, inside]) => `'sha256-${createHash('sha256').update(inside!).digest('base64')}'`)
      .join(' ')
  const policy = [
    "default-src 'none'",
    `script-src ${hashes('script')}`,
    `style-src ${hashes('style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
  return { text, policy }
}
