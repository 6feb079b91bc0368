/** Does a TLS 1.3 handshake within this page, and explains it; then asks a service worker that does the same. */
import { inside } from './inside.js'

/** What each message of RFC 8446 §4 is for. */
const MEANINGS = {
  client_hello: 'what the client can do, a random number, and its half of a key exchange',
  server_hello:
    'the suite that the server has chosen, and its half of the exchange: from here on all is encrypted',
  encrypted_extensions: 'the rest of what the server has chosen: here that HTTP/1.1 is spoken (ALPN)',
  certificate: 'whose key the server has; the client knows it already',
  certificate_verify: 'a signature over everything said so far: the server holds that key',
  finished: 'a checksum over everything said so far, under a key that only these two can have',
  new_session_ticket: 'with this the client can come back without a signature',
}

const list = document.querySelector('#messages')
const secrets = document.querySelector('#secrets')
const seen = new Set()

function line(parent, text) {
  const item = document.createElement('li')
  item.textContent = text
  parent.append(item)
}

const { get } = await inside({
  message: (from, { type }) => line(list, `${from}: ${type} — ${MEANINGS[type] ?? ''}`),
  secret(name) {
    if (!seen.has(name)) line(secrets, name)
    seen.add(name)
  },
})
const { status, body, suite, alpn } = await get('/hello')
document.querySelector('#result').textContent = `${status} ${body} (${suite}, ${alpn})`
document.querySelector('#node').textContent = `${typeof process} ${typeof Buffer}`

if ('serviceWorker' in navigator && location.protocol !== 'file:') {
  await navigator.serviceWorker.register('worker.js')
  await navigator.serviceWorker.ready
  if (navigator.serviceWorker.controller === null)
    await new Promise(taken =>
      navigator.serviceWorker.addEventListener('controllerchange', taken, { once: true }),
    )
  document.querySelector('#worker').textContent = await (await fetch('inside/from-the-page')).text()
}
document.body.dataset.done = 'yes'
