import { request } from 'node:https'
import type { Fetch } from './server.ts'

/**
 * A `fetch` that trusts the authorities of a file besides those that Node trusts, or instead of them.
 * @param ca PEM; undefined: those that Node trusts
 */
export function httpsFetch(ca: string | undefined): Fetch {
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const options = { method, headers: { ...headers, ...length }, signal, agent: false, ...(ca && { ca }) }
      const asked = request(url, options, response => {
        const get = (name: string): string | null => {
          const found = response.headers[name]
          return (Array.isArray(found) ? found.join(', ') : found) ?? null
        }
        // There is no content to be read, whose end would close the connection.
        if (method === 'HEAD') response.destroy()
        resolve({ status: response.statusCode ?? 0, headers: { get }, body: response })
      })
      asked.on('error', reject)
      asked.end(body)
    })
}
