import type { Life } from '../supervisor/observatory/telling.ts'
import type { ConnectionStatus } from '../supervisor/sessions.ts'
import { byId, element, row } from './dom.ts'
import type { Stream } from './stream.ts'
import { stagesText, stepText, timeText } from './words.ts'

/** Shows one connection's life over the page: where it was, when and why it moved, how long stages took. */
export class LifeView {
  readonly #stream: Stream
  readonly #dialog = byId<HTMLDialogElement>('life')

  constructor(stream: Stream) {
    this.#stream = stream
  }

  async open(id: string): Promise<void> {
    byId('life-title').textContent = `Connection ${id.slice(0, 12)}`
    byId('life-inside').replaceChildren(element('p', {}, 'asking the platform'))
    if (!this.#dialog.open) this.#dialog.showModal()
    const life = await this.#stream.life(id).catch(() => undefined)
    byId('life-inside').replaceChildren(...(life === undefined ? nothing() : told(life)))
  }
}

function nothing(): Node[] {
  return [element('p', {}, 'Nothing is known of it any more.')]
}

function told({ id, steps, now }: Life): Node[] {
  const facts = [['id', id], ...(now === undefined ? [['state', 'no container has it']] : factsOf(now))]
  return [
    element(
      'dl',
      {},
      ...facts.flatMap(([name, value]) => [element('dt', {}, name!), element('dd', {}, value!)]),
    ),
    element('h3', {}, 'What has become of it since the page was opened'),
    steps.length === 0
      ? element('p', {}, 'Nothing yet.')
      : element(
          'div',
          { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'steps' },
          element(
            'table',
            {},
            element(
              'thead',
              {},
              element(
                'tr',
                {},
                ...['when', 'generation', 'what', 'stages'].map(one => element('th', { scope: 'col' }, one)),
              ),
            ),
            element(
              'tbody',
              {},
              ...steps.map(step =>
                row(timeText(step.at), String(step.generation), stepText(step), stagesText(step)),
              ),
            ),
          ),
        ),
  ]
}

function factsOf({
  container,
  state,
  protocol,
  cipherSuite,
  serverName,
  ...one
}: ConnectionStatus): string[][] {
  return [
    ['container', container],
    ['state', state],
    ['protocol', `${protocol}${one.tls ? `, ${cipherSuite ?? 'TLS'}` : ', without TLS'}`],
    ['server name', serverName ?? 'none'],
    ['requests, moves', `${one.requests}, ${one.hops}`],
    ...(one.stays === undefined ? [] : [['stays, because of', one.stays]]),
  ]
}
