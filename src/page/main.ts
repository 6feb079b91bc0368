import { byId } from './dom.ts'
import { showFigures } from './figures.ts'
import { LifeView } from './life.ts'
import { Model } from './model.ts'
import { Scene } from './scene.ts'
import { Stream, tokenOfLink } from './stream.ts'
import { Tables } from './tables.ts'

/** Puts the page together. */
function main(): void {
  const model = new Model()
  const stream = new Stream(tokenOfLink(), {
    told: telling => {
      const hops = model.take(telling, performance.now())
      scene.changed(hops)
      tables.changed()
      if (telling.kind === 'state') showFigures(telling)
    },
    link: (text, lost) => {
      const link = byId('link')
      link.textContent = text
      link.classList.toggle('lost', lost)
    },
  })
  const life = new LifeView(stream)
  const choose = (id: string): void => void life.open(id)
  const scene = new Scene(byId<HTMLCanvasElement>('places'), model, choose)
  const tables = new Tables(model, choose)
  // They scroll: keys must reach them.
  for (const one of document.querySelectorAll<HTMLElement>('.scroll')) one.tabIndex = 0
  void stream.follow()
}

main()
