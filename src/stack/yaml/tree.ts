import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml'

/** Lists and maps in each other, at most. */
export const DEEPEST = 64
export const TOO_DEEP = `lists and maps are in each other, over ${DEEPEST} deep`

/** A map of a stack file. Its keys are text as it is written there: `010` is no number 10. */
export class StackMap extends Map<string, unknown> {
  readonly #written = new Map<string, string>()

  /** Numbers and truth values as they are written: a text made of the value would have lost digits. */
  written(key: string): string | undefined {
    return this.#written.get(key)
  }

  /** Takes over one entry of another map. */
  take(key: string, value: unknown, written: string | undefined): void {
    this.set(key, value)
    if (written !== undefined) this.#written.set(key, written)
  }
}

/** How what cannot be read is refused. */
export interface Refusals {
  /** Never returns. @param offset where it stands in the text */
  refuse(offset: number, what: string): never
  /** For an alias or a name that was likely meant as text. */
  slip(offset: number, word: string): never
}

/**
 * What a document says, as maps, lists and scalars. What an alias refers to is there once, however often it
 * is referred to: aliases of aliases cost nothing.
 */
export function treeOf(document: Document, text: string, refusals: Refusals): unknown {
  return new Walk(text, refusals).valueOf(document.contents as Node | null)
}

class Walk {
  readonly #text: string
  readonly #refusals: Refusals
  /** By name, what an alias refers to; undefined while that is being read. */
  readonly #anchors = new Map<string, Anchored | undefined>()

  constructor(text: string, refusals: Refusals) {
    this.#text = text
    this.#refusals = refusals
  }

  valueOf(node: Node | null): unknown {
    return this.#read(node).value
  }

  #read(node: Node | null): Anchored {
    if (node === null) return { value: null, written: undefined }
    const offset = offsetOf(node)
    if (isAlias(node)) return this.#referred(node.source, offset)
    const { anchor } = node as Scalar | YAMLMap
    if (anchor !== undefined) this.#begin(anchor, node, offset)
    const read: Anchored = isScalar(node)
      ? { value: node.value, written: writtenOf(node) }
      : { value: this.#collection(node), written: undefined }
    if (anchor !== undefined) this.#anchors.set(anchor, read)
    return read
  }

  #collection(node: Node): unknown {
    if (isMap(node)) return this.#map(node)
    return isSeq(node) ? node.items.map(one => this.valueOf(one as Node | null)) : null
  }

  #map(node: YAMLMap): StackMap {
    const map = new StackMap()
    const merged: StackMap[] = []
    for (const { key, value } of node.items as readonly Pair<Node, Node | null>[]) {
      const name = this.#keyOf(key)
      const offset = offsetOf(key)
      if (map.has(name)) this.#refusals.refuse(offset, `the key ${shortened(name)} is there a second time`)
      const read = this.#read(value)
      if (name === '<<' && isPlain(key)) merged.push(...this.#mergeable(read.value, offset))
      else map.take(name, read.value, read.written)
    }
    // What stands in the map itself goes first, then the earlier of those that are merged into it.
    for (const other of merged)
      for (const [name, value] of other) if (!map.has(name)) map.take(name, value, other.written(name))
    return map
  }

  #keyOf(key: Node | null): string {
    if (isScalar(key)) {
      const { value } = this.#read(key)
      return typeof value === 'string' ? value : (key.source ?? String(value))
    }
    const value = this.valueOf(key)
    return typeof value === 'string' ? value : this.#refusals.refuse(offsetOf(key), 'a key is a text')
  }

  #mergeable(value: unknown, offset: number): readonly StackMap[] {
    const all = Array.isArray(value) ? value : [value]
    return all.every(one => one instanceof StackMap)
      ? all
      : this.#refusals.refuse(offset, '<< merges a map, or a list of maps, into this one')
  }

  #referred(name: string, offset: number): Anchored {
    if (!this.#anchors.has(name)) this.#refusals.slip(offset, `*${name}`)
    const found = this.#anchors.get(name)
    return found ?? this.#refusals.refuse(offset, `*${name} refers to what it is itself a part of`)
  }

  #begin(anchor: string, node: Node, offset: number): void {
    const empty = isScalar(node) && node.value === null && node.source === ''
    if (empty) this.#refusals.slip(this.#text.lastIndexOf('&', offset), `&${anchor}`)
    this.#anchors.set(anchor, undefined)
  }
}

interface Anchored {
  readonly value: unknown
  readonly written: string | undefined
}

function writtenOf({ value, source }: Scalar): string | undefined {
  return typeof value === 'number' || typeof value === 'boolean' ? source : undefined
}

function isPlain(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN'
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0
}

function shortened(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name
}
