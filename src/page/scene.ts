import { along, DRAWN, layOut, type Place, POTATO, type Spot, seat } from './layout.ts'
import type { Hop, Model, Potato } from './model.ts'

/** Milliseconds that a hop takes on the canvas, whatever it took in truth. */
const FLIGHT = 650
/** Hops that are drawn at once. */
const FLYING = 150
/** Pixels beside a potato that count as it. */
const NEAR = 12

interface Flight {
  readonly id: string
  readonly from: Spot
  readonly to: Spot
  readonly begun: number
  readonly ends: boolean
}

type Colours = Readonly<Record<'ink' | 'faint' | 'grid' | 'paper' | 'potato' | 'rim' | 'hot', string>>

/**
 * Draws containers as places, and connections as potatoes that hop between them. It draws when something has
 * changed, and while something flies; nothing flies for those who want no motion.
 */
export class Scene {
  readonly #canvas: HTMLCanvasElement
  readonly #model: Model
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)')
  #flights: Flight[] = []
  #places = new Map<string, Place>()
  #names = ''
  #spots: { readonly id: string; readonly spot: Spot }[] = []
  #colours: Colours
  #asked = false

  constructor(canvas: HTMLCanvasElement, model: Model, onChoice: (id: string) => void) {
    this.#canvas = canvas
    this.#model = model
    this.#colours = coloursOf(canvas)
    new ResizeObserver(() => this.#resize()).observe(canvas)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colours = coloursOf(canvas)
      this.changed()
    })
    canvas.addEventListener('click', ({ offsetX, offsetY }) => {
      const id = this.#at(offsetX, offsetY)
      if (id !== undefined) onChoice(id)
    })
  }

  /** Something of the model has changed: it is drawn with the next frame. */
  changed(hops: readonly Hop[] = []): void {
    if (!this.#still.matches) for (const hop of hops) this.#launch(hop)
    if (this.#asked) return
    this.#asked = true
    requestAnimationFrame(now => this.#draw(now))
  }

  #launch({ id, from = '', to }: Hop): void {
    const [begin, end] = [this.#places.get(from), this.#places.get(to ?? from)]
    if (begin === undefined || end === undefined || this.#flights.length >= FLYING) return
    const below = { x: begin.x, y: begin.y + begin.radius + 24 }
    const begun = document.timeline.currentTime as number
    this.#flights.push({ id, from: begin, to: to === undefined ? below : end, begun, ends: to === undefined })
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#canvas
    const dense = devicePixelRatio
    this.#canvas.width = Math.round(clientWidth * dense)
    this.#canvas.height = Math.round(clientHeight * dense)
    this.#names = ''
    this.changed()
  }

  #arrange(): void {
    const names = (this.#model.state?.containers ?? []).map(({ name }) => name)
    const key = names.join(' ')
    if (key === this.#names && this.#places.size > 0) return
    this.#names = key
    this.#places = layOut(names, this.#canvas.clientWidth, this.#canvas.clientHeight)
  }

  #at(x: number, y: number): string | undefined {
    let nearest: { id: string; far: number } | undefined
    for (const { id, spot } of this.#spots) {
      const far = Math.hypot(spot.x - x, spot.y - y)
      if (far <= (nearest?.far ?? NEAR)) nearest = { id, far }
    }
    return nearest?.id
  }

  #draw(now: number): void {
    this.#asked = false
    this.#arrange()
    const context = this.#canvas.getContext('2d')
    if (context === null) return
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
    context.clearRect(0, 0, this.#canvas.clientWidth, this.#canvas.clientHeight)
    this.#flights = this.#flights.filter(({ begun }) => now - begun < FLIGHT)
    const flying = new Set(this.#flights.map(({ id }) => id))
    const here = this.#byPlace()
    this.#spots = []
    for (const place of this.#places.values())
      this.#drawPlace(context, place, here.get(place.name) ?? [], flying)
    for (const flight of this.#flights) {
      const share = Math.min(1, Math.max(0, (now - flight.begun) / FLIGHT))
      context.globalAlpha = flight.ends ? 1 - share : 1
      this.#potato(context, along(flight.from, flight.to, share), POTATO, this.#colours.hot)
      context.globalAlpha = 1
    }
    if (this.#flights.length > 0) this.changed()
  }

  #byPlace(): Map<string, Potato[]> {
    const here = new Map<string, Potato[]>()
    for (const potato of this.#model.potatoes.values()) {
      if (potato.ended !== undefined) continue
      const all = here.get(potato.container)
      if (all === undefined) here.set(potato.container, [potato])
      else all.push(potato)
    }
    return here
  }

  #drawPlace(
    context: CanvasRenderingContext2D,
    place: Place,
    known: readonly Potato[],
    flying: ReadonlySet<string>,
  ): void {
    const { ink, faint, grid, potato } = this.#colours
    const gateway = place.name === ''
    const state = this.#model.state?.containers.find(({ name }) => name === place.name)
    context.strokeStyle = grid
    context.lineWidth = 2
    context.setLineDash(gateway || state?.ready === true ? [] : [5, 4])
    context.beginPath()
    context.arc(place.x, place.y, place.radius, 0, 2 * Math.PI)
    context.stroke()
    context.setLineDash([])
    const all = Math.max(known.length, gateway ? 0 : this.#model.count(place.name))
    for (let index = 0; index < Math.min(all, DRAWN); index++) {
      const { x, y, size } = seat(place, index, all)
      const one = known[index]
      if (one !== undefined && flying.has(one.id)) continue
      this.#potato(context, { x, y }, size, potato)
      if (one !== undefined) this.#spots.push({ id: one.id, spot: { x, y } })
    }
    const asleep = this.#model.state?.totals.hibernating ?? 0
    const label = gateway ? `gateway${asleep > 0 ? ` · ${asleep} asleep` : ''}` : `${place.name} · ${all}`
    context.fillStyle = gateway || state?.ready === true ? ink : faint
    context.font = '13px system-ui, sans-serif'
    context.textAlign = 'center'
    context.fillText(label, place.x, place.y + place.radius + 17)
  }

  #potato(context: CanvasRenderingContext2D, { x, y }: Spot, size: number, colour: string): void {
    context.beginPath()
    context.ellipse(x, y, size, size * 0.74, 0.5, 0, 2 * Math.PI)
    context.fillStyle = colour
    context.fill()
    if (size < 3) return
    context.strokeStyle = this.#colours.rim
    context.lineWidth = 1
    context.stroke()
  }
}

function coloursOf(canvas: Element): Colours {
  const style = getComputedStyle(canvas)
  const colour = (name: keyof Colours): string => style.getPropertyValue(`--${name}`).trim()
  return {
    ink: colour('ink'),
    faint: colour('faint'),
    grid: colour('grid'),
    paper: colour('paper'),
    potato: colour('potato'),
    rim: colour('rim'),
    hot: colour('hot'),
  }
}
