import { H1Client, type H1ClientEvent } from '../http/h1/index.ts'
import type { Field } from '../http/message.ts'
import { Prefixed } from './prefixed.ts'
import type { Transport } from './transport.ts'

/** Interim responses before the answer: nothing holds a server back here, so there is an end. */
const INTERIM = 32

/** What is asked for: CONNECT, or another protocol by Upgrade. */
export interface Wish {
  readonly method: string
  readonly target: string
  /** With Host, and for another protocol with Connection and Upgrade. */
  readonly headers: readonly Field[]
}

/** What a server has granted. */
export interface Granted {
  readonly status: number
  readonly fields: readonly Field[]
  /** What follows, both ways. */
  readonly transport: Transport
}

/** It was not granted. */
export class NotGranted extends Error {
  override readonly name = 'NotGranted'
  /** Of the answer; undefined: there was none, or none that is HTTP. */
  readonly status: number | undefined
  readonly fields: readonly Field[]

  constructor(message: string, status?: number, fields: readonly Field[] = [], cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.status = status
    this.fields = fields
  }
}

/**
 * Asks for a tunnel or another protocol on a connection of its own (RFC 9110 §7.8 and §9.3.6).
 * @throws NotGranted, or the reason of the signal (as rejection); the transport is destroyed then. TypeError
 * for what must not be sent
 */
export function upgraded(transport: Transport, wish: Wish, signal?: AbortSignal): Promise<Granted> {
  const http = new H1Client()
  const request = http.request(wish)
  return new Promise((resolve, reject) => {
    let interim = 0
    let over = false
    const settle = (): void => {
      over = true
      signal?.removeEventListener('abort', abort)
    }
    const fail = (error: unknown): void => {
      if (over) return
      settle()
      transport.destroy()
      reject(error)
    }
    const abort = (): void => fail(signal?.reason)
    const on = (event: H1ClientEvent): void => {
      switch (event.type) {
        case 'interim':
          if (++interim > INTERIM) fail(new NotGranted(`more than ${INTERIM} interim responses`))
          return
        case 'upgrade':
          settle()
          transport.pause()
          resolve({ ...event, fields: event.headers, transport: new Prefixed(transport, event.rest) })
          return
        case 'response':
          fail(new NotGranted(`${event.status} ${event.reason}`.trim(), event.status, event.headers))
          return
        case 'error':
          fail(new NotGranted(event.reason))
      }
    }
    if (signal?.aborted) {
      abort()
      return
    }
    signal?.addEventListener('abort', abort, { once: true })
    transport.read({
      bytes: view => {
        for (const event of http.receive(view)) if (!over) on(event)
      },
      end: () => fail(new NotGranted('it closed the connection')),
      error: cause => fail(new NotGranted(cause.message, undefined, [], cause)),
    })
    transport.write([request])
  })
}
