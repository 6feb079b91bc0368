/** A place on the canvas. */
export interface Spot {
  readonly x: number
  readonly y: number
}

/** A place for connections: a container, or the gateway. */
export interface Place extends Spot {
  readonly name: string
  readonly radius: number
}

/** Degrees between two seeds of a sunflower, in radians: each new one finds room. */
const GOLDEN = Math.PI * (3 - Math.sqrt(5))
/** Potatoes that are drawn in one place; the number beside it says the rest. */
export const DRAWN = 300
export const POTATO = 7

/**
 * Finds a place for each container, in rows, the gateway on the left. @param names in the order of the page
 */
export function layOut(names: readonly string[], width: number, height: number): Map<string, Place> {
  const aside = Math.min(110, width * 0.18)
  const room = { width: width - aside, height }
  // As many columns as make the cells nearly square.
  const columns = Math.max(1, Math.ceil(Math.sqrt((names.length * room.width) / Math.max(1, room.height))))
  const rows = Math.max(1, Math.ceil(names.length / columns))
  const cell = { width: room.width / columns, height: room.height / rows }
  const radius = Math.max(14, Math.min(cell.width, cell.height - 26) / 2 - 8)
  const places = new Map<string, Place>()
  for (const [index, name] of names.entries()) {
    const column = index % columns
    const row = Math.floor(index / columns)
    places.set(name, {
      name,
      x: aside + (column + 0.5) * cell.width,
      y: (row + 0.5) * cell.height - 8,
      radius,
    })
  }
  places.set('', { name: '', x: aside / 2, y: height / 2 - 8, radius: Math.min(26, aside / 3) })
  return places
}

/** Where the potato of that number lies, and how large it is. @param count how many there are */
export function seat(
  { x, y, radius }: Place,
  index: number,
  count: number,
): Spot & { readonly size: number } {
  const shown = Math.min(count, DRAWN)
  const size = Math.max(1.6, Math.min(POTATO, (radius * 0.8) / Math.sqrt(Math.max(1, shown))))
  const far = Math.min(radius - size, size * 1.55 * Math.sqrt(index + 0.35))
  return { x: x + far * Math.cos(index * GOLDEN), y: y + far * Math.sin(index * GOLDEN), size }
}

/** A point of the way of a hop: an arc. @param share of the way, from 0 to 1 */
export function along(from: Spot, to: Spot, share: number): Spot {
  const eased = share * share * (3 - 2 * share)
  const lift = Math.min(90, Math.hypot(to.x - from.x, to.y - from.y) / 3) * Math.sin(Math.PI * eased)
  return { x: from.x + (to.x - from.x) * eased, y: from.y + (to.y - from.y) * eased - lift }
}
