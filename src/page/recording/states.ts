import { differences } from '../../trace/difference.ts'
import type { RecordedConnection, RecordedState } from '../../trace/recording.ts'
import { byId, element, row } from '../dom.ts'
import { annotated } from './bytes.ts'
import { lazily } from './records.ts'
import { SHOWN } from './shown.ts'

/** Changes that are listed at most. */
const LISTED = 2000

/** Shows the states of a connection's session, and what has changed from each to the next. */
export function showStates({ states, side, parcels = [] }: RecordedConnection): void {
  const none = element('p', {}, 'This recording has none: its connection ended before its handshake did.')
  byId('states').replaceChildren(
    ...(states.length + parcels.length === 0 ? [none] : []),
    ...states.flatMap((state, index) => {
      const before = states.slice(0, index).findLast(one => one.side === state.side)
      return [...(before === undefined ? [] : [changes(before, state)]), stateNode(state, side, index)]
    }),
    ...parcels.map(parcelNode),
  )
}

function stateNode(state: RecordedState, side: string, index: number): HTMLElement {
  const text = `${state.when}: ${state.bytes.length / 2} bytes, seen from the ${state.side ?? side}`
  // Two containers may tell the same.
  return SHOWN.node(`state ${index} ${state.side} ${state.when} ${state.bytes}`, () =>
    lazily(element('summary', {}, text), () => annotated(state.bytes, state, `the state ${state.when}`)),
  )
}

function parcelNode(parcel: RecordedState): HTMLElement {
  const length = parcel.bytes.length / 2
  const text = `What travelled ${parcel.when}: an envelope of ${length} bytes, here in clear`
  return lazily(element('summary', {}, text), () => annotated(parcel.bytes, parcel, 'the envelope'))
}

function changes(before: RecordedState, after: RecordedState): HTMLElement {
  const found = differences(before, after)
  if (found.length === 0) return element('p', {}, 'From there to here nothing has changed, not one byte.')
  const heads = ['changed', 'before', 'after'].map(name => element('th', { scope: 'col' }, name))
  return element(
    'div',
    { class: 'fields', tabindex: '0', role: 'region', 'aria-label': `what has changed ${after.when}` },
    element(
      'table',
      { class: 'annotated' },
      element('thead', {}, element('tr', {}, ...heads)),
      element(
        'tbody',
        {},
        ...found
          .slice(0, LISTED)
          .map(one => row(one.path, one.before ?? 'not there', one.after ?? 'not there')),
      ),
    ),
  )
}
