import type { ServerResponse } from 'node:http'

/** What the admin port answers. */
export interface Reply {
  readonly status: number
  readonly text: string
  /** Beside {@link FIELDS}; the text is plain if they do not say otherwise. */
  readonly fields?: Readonly<Record<string, string>>
}

/** Fields of every answer: it is of now, is what it says that it is, and is for this site alone. */
export const FIELDS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

/** Sends an answer. @param method of its request: to HEAD goes no text */
export function send(
  method: string | undefined,
  response: ServerResponse,
  { status, text, fields }: Reply,
): void {
  response.writeHead(status, {
    ...FIELDS,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...fields,
  })
  response.end(method === 'HEAD' ? undefined : text)
}
