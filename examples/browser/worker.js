/** A service worker that is a server: what the page fetches under `inside/` is asked of it over TLS, in memory. */
import { inside } from './inside.js'

const started = inside()

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', event => {
  const { pathname } = new URL(event.request.url)
  const [, path] = /\/inside(\/.*)$/.exec(pathname) ?? []
  if (path !== undefined) event.respondWith(answer(path))
})

async function answer(path) {
  const { get } = await started
  const { status, body, suite } = await get(path)
  return new Response(`service worker: ${body} (${suite})`, { status })
}
