import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EngineRefusal } from './engine.ts'

const compiled = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Engines of this project, by name. */
const OWN: Readonly<Record<string, string>> = {
  floor: compiled('../floor/engine.js'),
  platform: compiled('./platform.js'),
  tiny: compiled('./tiny.js'),
}

/** Engines over other libraries, for which there is a recipe: built by hand, once. */
export const RECIPES = ['wolfssl', 'picotls'] as const

/** Where recipes are, and put what they make: beside the sources, whether this is compiled or not. */
const RECIPES_AT = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../bench/engines/' : './', import.meta.url),
)

/** What is built: the program of a recipe. */
export function builtBy(recipe: string): string {
  return `${RECIPES_AT}build/${recipe}`
}

/**
 * What a name in `--engines` stands for: an engine of ours, a recipe, or else a command with its words.
 * @throws EngineRefusal the recipe has not been followed here
 */
export function commandOf(name: string): readonly string[] {
  const own = OWN[name]
  if (own !== undefined) return [own]
  if (!RECIPES.some(recipe => recipe === name)) return name.split(' ')
  const program = builtBy(name)
  if (!existsSync(program)) throw new EngineRefusal(`not built here: sh bench/engines/${name}/build.sh`)
  return [program]
}

/** What stands beside the platform unless something else is asked for: what is not built is named. */
export const USUAL_ENGINES: readonly string[] = ['floor', ...RECIPES]
