import { type Drawing, type Shape, TEXT } from './drawing.ts'
import { escaped } from './html.ts'
import { DASHES, FAINT, GRID, INK, ON_WHITE } from './palette.ts'

/** A drawing as it stands in the page, whose style gives it colours. */
export function svg({ width, height, label, shapes }: Drawing): string {
  const attributes = `viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}"`
  return `<svg ${attributes}>${shapes.map(elementOf).join('')}</svg>`
}

/** A drawing as a file of its own: black on white, in any program that reads SVG. */
export function svgFile(drawing: Drawing): string {
  const { width, height } = drawing
  const styles = ON_WHITE.map((colour, style) => {
    const dash = DASHES[style]!.length === 0 ? '' : ` stroke-dasharray: ${DASHES[style]!.join(' ')};`
    const line = `.s${style} path, .s${style} line { stroke: ${colour};${dash} }`
    return `${line} .s${style} circle { fill: ${colour}; }`
  })
  const style = [
    `text { font: ${TEXT}px Helvetica, Arial, 'Liberation Sans', sans-serif; fill: ${INK}; }`,
    `.name { fill: ${FAINT}; } .grid { stroke: ${GRID}; } .bar { fill: ${ON_WHITE[0]}; }`,
    `.whisker { stroke: ${INK}; stroke-width: 2; } path { fill: none; stroke-width: 2; }`,
    ...styles,
  ].join('\n')
  const head = `xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`
  const inside = `<style>${style}</style><rect width="${width}" height="${height}" fill="#fff"/>`
  return `${svg(drawing).replace('<svg ', `<svg ${head} `).replace('>', `>${inside}`)}\n`
}

function elementOf(shape: Shape): string {
  switch (shape.kind) {
    case 'line': {
      const { as, from, to } = shape
      return `<line class="${as}" x1="${from[0]}" x2="${to[0]}" y1="${from[1]}" y2="${to[1]}"/>`
    }
    case 'words': {
      const { at, text, anchor, name, upright } = shape
      const [x, y] = at
      const place = upright ? `transform="translate(${x} ${y}) rotate(-90)"` : `x="${x}" y="${y}"`
      const more = `${anchor === undefined ? '' : ` text-anchor="${anchor}"`}${name ? ' class="name"' : ''}`
      return `<text ${place}${more}>${escaped(text)}</text>`
    }
    case 'bar': {
      const { at, width, height, said } = shape
      const size = `x="${at[0]}" y="${at[1]}" width="${width}" height="${height}"`
      return `<rect class="bar" ${size}><title>${escaped(said)}</title></rect>`
    }
    case 'curve': {
      const { style, points, said } = shape
      const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('')
      return `<g class="s${style}"><path d="${path}"><title>${escaped(said)}</title></path></g>`
    }
    case 'dot': {
      const { style, at, said, spread } = shape
      const [x, y] = at
      const whisker =
        spread === undefined ? '' : `<line x1="${x}" x2="${x}" y1="${spread[0]}" y2="${spread[1]}"/>`
      const dot = `<circle cx="${x}" cy="${y}" r="3.5"><title>${escaped(said)}</title></circle>`
      return `<g class="s${style}">${whisker}${dot}</g>`
    }
  }
}
