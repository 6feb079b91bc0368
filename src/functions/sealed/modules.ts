import { isBuiltin } from 'node:module'
import vm from 'node:vm'
import type { Archive } from '../../sealed/archive.ts'
import { type Files, filesOf, kindOf, resolveIn } from './resolution.ts'

const decoder = new TextDecoder()

/**
 * Loads modules out of an archive in memory: nothing of it ever has a file. What is not in it are the modules
 * of Node. Node must have been started with `--experimental-vm-modules`.
 */
export class SealedModules {
  readonly #files: Files
  readonly #entry: string
  readonly #modules = new Map<string, vm.Module>()
  readonly #required = new Map<string, { exports: unknown }>()

  constructor(archive: Archive) {
    this.#files = filesOf(archive)
    this.#entry = archive.entry
  }

  /** Evaluates the entry. @throws what it throws, or Error for what cannot be found */
  async load(): Promise<Readonly<Record<string, unknown>>> {
    const module = await this.#evaluated(this.#entry)
    return module.namespace as Record<string, unknown>
  }

  async #evaluated(path: string): Promise<vm.Module> {
    const module = this.#moduleAt(path)
    if (module.status === 'unlinked') await module.link((name, from) => this.#named(name, from.identifier))
    await module.evaluate()
    return module
  }

  #named(specifier: string, from: string): vm.Module {
    if (isBuiltin(specifier)) return this.#builtin(specifier)
    return this.#moduleAt(resolveIn(this.#files, specifier, from))
  }

  #moduleAt(path: string): vm.Module {
    const known = this.#modules.get(path)
    if (known !== undefined) return known
    const made = this.#make(path)
    this.#modules.set(path, made)
    return made
  }

  #make(path: string): vm.Module {
    const kind = kindOf(this.#files, path)
    if (kind === 'module')
      return new vm.SourceTextModule(this.#text(path), {
        identifier: path,
        initializeImportMeta: meta => {
          meta.url = `sealed:///${path}`
        },
        importModuleDynamically: (async (specifier: string) =>
          this.#dynamic(specifier, path)) as unknown as vm.SourceTextModuleOptions['importModuleDynamically'],
      })
    if (kind === 'commonjs') return synthetic(path, () => namesOf(this.#require(path)))
    const value = kind === 'json' ? JSON.parse(this.#text(path)) : this.#text(path)
    return synthetic(path, () => ({ default: value }))
  }

  async #dynamic(specifier: string, from: string): Promise<vm.Module> {
    if (!isBuiltin(specifier)) return this.#evaluated(resolveIn(this.#files, specifier, from))
    const module = this.#builtin(specifier)
    if (module.status === 'unlinked') await module.link(() => module)
    await module.evaluate()
    return module
  }

  #builtin(specifier: string): vm.Module {
    const known = this.#modules.get(specifier)
    if (known !== undefined) return known
    const module = synthetic(specifier, () => namesOf(process.getBuiltinModule(specifier)))
    this.#modules.set(specifier, module)
    return module
  }

  #require(path: string): unknown {
    const known = this.#required.get(path)
    if (known !== undefined) return known.exports
    const module: { exports: unknown } = { exports: {} }
    this.#required.set(path, module)
    if (path.endsWith('.json')) {
      module.exports = JSON.parse(this.#text(path))
      return module.exports
    }
    const names = ['exports', 'require', 'module', '__filename', '__dirname']
    const body = vm.compileFunction(this.#text(path), names, {
      filename: path,
      importModuleDynamically: (async (specifier: string) =>
        this.#dynamic(specifier, path)) as unknown as vm.CompileFunctionOptions['importModuleDynamically'],
    })
    const require = (specifier: string): unknown =>
      isBuiltin(specifier)
        ? process.getBuiltinModule(specifier)
        : this.#require(resolveIn(this.#files, specifier, path))
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    body.call(module.exports, module.exports, require, module, path, folder)
    return module.exports
  }

  #text(path: string): string {
    return decoder.decode(this.#files.get(path)!)
  }
}

/** A module of values that are there: names and all are known before it is evaluated. */
function synthetic(identifier: string, make: () => Readonly<Record<string, unknown>>): vm.Module {
  const values = make()
  const names = Object.keys(values)
  return new vm.SyntheticModule(
    names,
    function (this: vm.SyntheticModule) {
      for (const name of names) this.setExport(name, values[name])
    },
    { identifier },
  )
}

/** What a module that was required gives to one that imports it. */
function namesOf(exports: unknown): Readonly<Record<string, unknown>> {
  const named = typeof exports === 'object' || typeof exports === 'function' ? { ...(exports as object) } : {}
  return { ...named, default: exports }
}
