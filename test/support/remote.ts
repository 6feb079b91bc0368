import type { Certificate } from '../../src/tls13/authentication.ts'
import type { SessionEvent } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { Answer, Question } from '../../src/tls13/question.ts'
import type { Session } from '../../src/tls13/session.ts'
import { certificateOf, type Identity } from './identity.ts'

/** The certificate of an identity whose key another process holds: the session has to ask. */
export function remoteCertificate(identity: Identity): Certificate {
  const { chain, signers } = certificateOf(identity, node)
  return { chain, signers: signers.map(({ scheme }) => ({ scheme })) }
}

/**
 * What the holder of the key, who trusts whatever certificate comes first, and a store that has seen nothing
 * say.
 */
export function answerTo(question: Question, identity: Identity): Answer {
  switch (question.kind) {
    case 'signature': {
      const { signers } = certificateOf(identity, node)
      const signer = signers.find(({ scheme }) => scheme === question.scheme)!
      return { kind: 'signature', signature: signer.sign!(question.content) }
    }
    case 'certificate_verdict':
      return { kind: 'certificate_verdict', publicKey: question.chain[0]! }
    case 'replay':
      return { kind: 'replay', fresh: true }
  }
}

/** The open question among the events. @throws Error if there is none */
export function questionIn(events: readonly SessionEvent[]): { id: number; question: Question } {
  const found = events.findLast(event => event.type === 'question')
  if (found === undefined) throw new Error(`no question in ${JSON.stringify(events)}`)
  return found
}

/** What a session still has to tell. */
export function eventsOf(session: Session): SessionEvent[] {
  const events: SessionEvent[] = []
  for (let event = session.next(); event !== undefined; event = session.next()) events.push(event)
  return events
}
