import type { SpanSummary } from '../supervisor/observatory/spans.ts'
import type { State } from '../supervisor/observatory/telling.ts'
import { byId } from './dom.ts'
import { span } from './words.ts'

const spans = (summary: SpanSummary | undefined): string =>
  summary === undefined ? '–' : `${span(summary.p50)} · ${span(summary.p99)}`

/** What each figure of the page shows of a state, by its name there. */
const FIGURES: Readonly<Record<string, (state: State) => string>> = {
  connections: ({ containers }) => String(containers.reduce((sum, one) => sum + one.connections, 0)),
  'opened a second': ({ rates }) => String(rates.opened),
  'moves a second': ({ rates }) => String(rates.moves),
  'requests a second': ({ rates }) => String(rates.requests),
  'a move, p50 · p99': ({ times }) => spans(times.move),
  'freeze, p50 · p99': ({ times }) => spans(times.freeze),
  'hand over, p50 · p99': ({ times }) => spans(times.hand),
  'set up, p50 · p99': ({ times }) => spans(times.restore),
  'moves so far': ({ totals }) => String(totals.moves),
  'taken over': ({ totals }) => String(totals.takenOver),
  checkpoints: ({ totals }) => String(totals.checkpoints),
  'unclean ends': ({ totals }) => String(totals.unclean + totals.failed),
}

/** The figures of the page, which stand there from the first moment on: nothing moves when they come. */
export function showFigures(state: State): void {
  for (const one of byId('figures').children) {
    const [name, value] = [one.children[0]!.textContent ?? '', one.children[1]!]
    const text = FIGURES[name]?.(state) ?? '–'
    if (value.textContent !== text) value.textContent = text
  }
}
