import type { Answer, Question, Session } from '../../tls13/index.ts'
import type { Guard } from '../../transport/guard.ts'

/** What answers questions of sessions that the configuration cannot. */
export interface Answering {
  /** @param settle called once, never before this returns */
  ask(question: Question, settle: (answer: Answer) => void): void
}

/** The connection whose session asks. */
export interface Asking {
  readonly guard: Guard
  readonly out: { readonly session: Session | undefined }
  pump(): void
}

/**
 * Puts the question of a session to its container, and goes on with the answer. If the session has gone to
 * another container meanwhile, it asks again there.
 */
export function inquire(connection: Asking, host: Answering, id: number, question: Question): void {
  const { session } = connection.out
  const answered = connection.guard.entrance((answer: Answer) => {
    if (session === undefined || connection.out.session !== session) return
    session.answer(id, answer)
    connection.pump()
  })
  host.ask(question, answered)
}
