import type { Measurement } from '../harness/measurement.ts'
import { NARROW, type Picture, WIDE } from './drawing.ts'
import { escaped } from './html.ts'
import { DASHES } from './palette.ts'
import { svg } from './svg.ts'

/** One picture of a result. */
export interface Figure {
  /** What its files are called, as `migration-payload`; no other figure of the result has it. */
  readonly name: string
  readonly title: string
  /** What it shows, in a sentence or two. */
  readonly caption: string
  readonly picture: Picture
  /** What it is drawn from. */
  readonly of: readonly Measurement[]
}

/** Those figures for which there is something to draw. */
export function drawable(figures: readonly Figure[]): Figure[] {
  return figures.filter(({ picture }) => picture(WIDE) !== undefined)
}

/**
 * A figure in the page: drawn twice, because a picture that is made smaller for a phone has text that cannot
 * be read. The style shows one of them. Empty if there is nothing to draw.
 */
export function figureHtml({ name, picture, caption }: Figure): string {
  const [wide, narrow] = [picture(WIDE), picture(NARROW)]
  if (wide === undefined || narrow === undefined) return ''
  const pictures = `<div class="wide">${svg(wide)}</div><div class="narrow">${svg(narrow)}</div>`
  const words = `<figcaption>${escaped(caption)}</figcaption>`
  return `<figure id="figure-${name}">${pictures}${legend(wide.legend)}${words}</figure>`
}

/** Names beside the colours of their lines. */
function legend(names: readonly string[]): string {
  if (names.length === 0) return ''
  const items = names.map((name, index) => {
    const stroke = `<g class="s${index % DASHES.length}"><path d="M0 5H28"/></g>`
    return `<li><svg viewBox="0 0 28 10" class="key">${stroke}</svg>${escaped(name)}</li>`
  })
  return `<ul class="legend">${items.join('')}</ul>`
}
