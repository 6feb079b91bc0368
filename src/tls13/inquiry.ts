import type { ClientConfig, ServerConfig, SessionEvent } from './config.ts'
import { answerAtOnce, pendingQuestion } from './pending.ts'
import type { Answer } from './question.ts'
import type { SessionState } from './state.ts'
import type { Context } from './transition.ts'

/** Bytes that may wait while a question is open. */
export const WAITING_LIMIT = 2 ** 18

/** The question of a session that its owner has to answer, if one is open. */
export class Inquiry {
  /** Of the open question; undefined while none is open. */
  #id: number | undefined
  #count = 0

  /**
   * Puts the question that a state waits with to the configuration and, once, to the owner as an event.
   * @returns the answer of the configuration; undefined if the owner has to give it
   */
  put(
    state: SessionState,
    context: Context<ServerConfig | ClientConfig>,
    events: SessionEvent[],
  ): Answer | undefined {
    if (this.#id !== undefined) return undefined
    const question = pendingQuestion(state, context)!
    const answer = answerAtOnce(question, state, context)
    if (answer !== undefined) return answer
    this.#id = ++this.#count
    events.push({ type: 'question', id: this.#id, question })
    return undefined
  }

  /**
   * Closes the open question. @returns false for an answer to another one: it is stale
   * @throws TypeError for an answer of another kind than the question's
   */
  close(
    id: number,
    answer: Answer,
    state: SessionState,
    context: Context<ServerConfig | ClientConfig>,
  ): boolean {
    if (id !== this.#id) return false
    const kind = pendingQuestion(state, context)?.kind
    if (answer.kind !== kind && answer.kind !== 'refused') {
      throw new TypeError(`an answer of kind ${answer.kind} to a question of kind ${kind}`)
    }
    this.#id = undefined
    return true
  }
}
