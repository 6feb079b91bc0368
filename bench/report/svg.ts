import { escaped } from './html.ts'

/** A picture as it stands in the page. @param label what it shows, for who cannot see it */
export function svg(width: number, height: number, label: string, parts: readonly string[]): string {
  const attributes = `viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}"`
  return `<svg ${attributes}>${parts.join('')}</svg>`
}

/** A straight line from one point to another. @param kind its class in the style */
export function line(kind: string, [x1, y1]: Place, [x2, y2]: Place): string {
  return `<line class="${kind}" x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}"/>`
}

/** Pixels from the left and from the top. */
export type Place = readonly [x: number | string, y: number | string]

/** Words at a place. @param attributes what else is said of them, from a space on */
export function words([x, y]: Place, text: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes}>${escaped(text)}</text>`
}

/** Attributes for words that end at their place, that have it in their middle, and that name something. */
export const END = ' text-anchor="end"'
export const MIDDLE = ' text-anchor="middle"'
export const NAME = ' class="name"'

/** A bar that says what it stands for. */
export function bar([x, y]: Place, width: number, height: number, said: string): string {
  const size = `width="${Math.max(0.5, width).toFixed(1)}" height="${height}"`
  return `<rect class="bar" x="${x}" y="${y}" ${size}><title>${escaped(said)}</title></rect>`
}
