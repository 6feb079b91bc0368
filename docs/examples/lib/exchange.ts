import type { Session, SessionEvent } from '../../../src/tls13/index.ts'

/** What both sides were told while bytes went to and fro. */
export interface Heard {
  readonly client: SessionEvent[]
  readonly server: SessionEvent[]
}

/**
 * Carries the output of each session to the other until neither has anything to say: the network, in memory.
 */
export function exchange(client: Session, server: Session): Heard {
  const heard: Heard = { client: [], server: [] }
  for (;;) {
    const up = client.takeOutput()
    for (const bytes of up) heard.server.push(...server.receive(bytes))
    const down = server.takeOutput()
    for (const bytes of down) heard.client.push(...client.receive(bytes))
    if (up.length + down.length === 0) return heard
  }
}

/** The application data among the events, as text. */
export function textOf(events: readonly SessionEvent[]): string {
  const decoder = new TextDecoder()
  return events
    .map(event => (event.type === 'application_data' ? decoder.decode(event.data, { stream: true }) : ''))
    .join('')
}
