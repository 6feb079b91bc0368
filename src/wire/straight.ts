import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/**
 * How one codec says what it does in source text, so that all parts of a type become one function: what a
 * loop over fields looks up each time, that function has in its text. In the text `r` is the reader, `w` the
 * writer.
 */
export interface Straight {
  /** Statements that append a value. @param value the name of a constant that holds it */
  write(code: Code, value: string): string
  /** Statements that read a value. @param target the name that they declare */
  read(code: Code, target: string): string
  /** Statements that overwrite the secrets of a value; none if it has no parts. */
  wipe?(code: Code, value: string): string
}

/** What has straight code, or is called as it is. */
interface Part {
  readonly straight?: Straight | undefined
  readonly secret?: boolean | undefined
  write(writer: Writer, value: unknown): void
  read(reader: Reader): unknown
}

/** Source text in the making: names that are new, and values that the text refers to. */
export class Code {
  readonly #values: unknown[] = []
  #names = 0

  /** A name for a value that the text uses. */
  constant(value: unknown): string {
    const at = this.#values.indexOf(value)
    return `c${at === -1 ? this.#values.push(value) - 1 : at}`
  }

  /** A name that is used nowhere else. */
  name(): string {
    return `v${this.#names++}`
  }

  /** Statements that append a part. */
  write(part: Part, value: string): string {
    return part.straight?.write(this, value) ?? `${this.constant(part)}.write(w, ${value});`
  }

  /** Statements that read a part into `target`. */
  read(part: Part, target: string): string {
    return part.straight?.read(this, target) ?? `const ${target} = ${this.constant(part)}.read(r);`
  }

  /** Statements that overwrite the secrets of a part. */
  wipe(part: Part, value: string): string {
    const statements = part.straight?.wipe?.(this, value) ?? ''
    return part.secret ? `if (${value} instanceof Uint8Array) ${value}.fill(0);${statements}` : statements
  }

  /**
   * Text that calls a function of its own for what is long, and compiles that when it is called first. One
   * function for everything is larger than what V8 compiles for good (60 KB of bytecode), and most of it is
   * never needed.
   * @param parameters of that function @param values what it is called with @param body its statements
   * @returns the call, or undefined where the body is short
   */
  apart(parameters: string, values: string, body: (code: Code) => string): string | undefined {
    const code = new Code()
    const text = body(code)
    if (text.length < LONG) return undefined
    return `${this.constant(late(() => code.compile(parameters, text)))}.run(${values})`
  }

  /**
   * The text comes from the descriptions in this repository alone. @throws EvalError where code may not be
   * made of text, as on a page with a strict policy
   */
  compile<F>(parameters: string, body: string): F {
    const names = this.#values.map((_, i) => `c${i}`)
    const make = new Function(...names, `'use strict'; return (${parameters}) => {${body}}`)
    return make(...this.#values) as F
  }
}

/** Characters of text from which on it is a function of its own. */
const LONG = 400

/** A function that is compiled when it is called first. */
function late(compile: () => Run): { run: Run } {
  const made = {
    run: (one: unknown, other: unknown): unknown => {
      made.run = compile()
      return made.run(one, other)
    },
  }
  return made
}

type Run = (one: unknown, other: unknown) => unknown

/** A type as two functions. */
export interface Compiled<T> {
  write(writer: Writer, value: T): void
  read(reader: Reader): T
  wipe(value: T): void
}

/** Compiles a type when it is first used. */
export class Lazily<T> {
  readonly #straight: Straight
  #compiled: Compiled<T> | false | undefined

  constructor(straight: Straight) {
    this.#straight = straight
  }

  /** @returns false where code may not be made of text: then what is described is interpreted */
  get compiled(): Compiled<T> | false {
    this.#compiled ??= compile(this.#straight)
    return this.#compiled
  }
}

function compile<T>(straight: Straight): Compiled<T> | false {
  try {
    const writing = new Code()
    const write = writing.compile<Compiled<T>['write']>('w, value', straight.write(writing, 'value'))
    const reading = new Code()
    const text = `${straight.read(reading, 'value')} return value`
    const wiping = new Code()
    const wipe = wiping.compile<Compiled<T>['wipe']>('value', straight.wipe?.(wiping, 'value') ?? '')
    return { write, read: reading.compile<Compiled<T>['read']>('r', text), wipe }
  } catch (error) {
    if (error instanceof EvalError) return false
    throw error
  }
}

/** Refuses a value; the same function that the interpreter calls. */
type Refuse = (value: never) => never
/** What is wrong with a number that was read; the same text as the interpreter's. */
type Complaint = (value: number) => string

/** An unsigned integer. @param size bytes, up to 4 */
export function straightUint(size: number, maximum: number, unfit: Refuse): Straight {
  return {
    write: (code, value) =>
      `if (${value} >>> 0 !== ${value} || ${value} > ${maximum}) ${code.constant(unfit)}(${value}); ` +
      `w.uint(${value}, ${size});`,
    read: (_, target) => `const ${target} = r.uint(${size});`,
  }
}

/** Bytes behind their length. @param size bytes of the length @param how they are read */
export function straightOpaque(
  size: number,
  [floor, ceiling]: readonly [number, number],
  unfit: Refuse,
  outside: Complaint,
  how: 'bytes' | 'passing',
): Straight {
  return {
    write: (code, value) =>
      `${unless(`${value}.length`, floor, ceiling)} ${code.constant(unfit)}(${value}.length); ` +
      `w.uint(${value}.length, ${size}); w.bytes(${value});`,
    read(code, target) {
      const length = code.name()
      const reading = readLength(code, length, size, [floor, ceiling], outside)
      return `${reading} const ${target} = r.${how}(${length});`
    },
  }
}

/** So many bytes. */
export function straightFixed(length: number, unfit: Refuse): Straight {
  return {
    write: (code, value) =>
      `if (${value}.length !== ${length}) ${code.constant(unfit)}(${value}.length); w.bytes(${value});`,
    read: (_, target) => `const ${target} = r.bytes(${length});`,
  }
}

/** Items behind the length of all of them. @param size bytes of the length */
export function straightVector(
  item: Part,
  size: number,
  [floor, ceiling]: readonly [number, number],
  unfit: Refuse,
  outside: Complaint,
): Straight {
  return {
    write(code, values) {
      const [at, value, length] = [code.name(), code.name(), code.name()]
      return (
        `const ${at} = w.open(${size}); for (const ${value} of ${values}) {${code.write(item, value)}} ` +
        `const ${length} = w.close(${at}, ${size}); ` +
        `${unless(length, floor, ceiling)} ${code.constant(unfit)}(${length});`
      )
    },
    read(code, target) {
      const [length, end, value] = [code.name(), code.name(), code.name()]
      return (
        `${readLength(code, length, size, [floor, ceiling], outside)} const ${target} = []; ` +
        `const ${end} = r.enter(${length}); while (r.remaining > 0) ` +
        `{${code.read(item, value)} ${target}.push(${value});} r.leave(${end});`
      )
    },
    wipe(code, values) {
      const value = code.name()
      const statements = code.wipe(item, value)
      return statements && `for (const ${value} of ${values}) {${statements}}`
    },
  }
}

/** A byte, and perhaps a value. */
export function straightOptional(part: Part, neither: Complaint): Straight {
  return {
    write: (code, value) =>
      `if (${value} === undefined) w.uint(0, 1); else {w.uint(1, 1); ${code.write(part, value)}}`,
    read(code, target) {
      const [present, value] = [code.name(), code.name()]
      return (
        `const ${present} = r.uint(1); if (${present} > 1) r.fail(${code.constant(neither)}(${present})); ` +
        `let ${target}; if (${present} === 1) {${code.read(part, value)} ${target} = ${value};}`
      )
    },
    wipe(code, value) {
      const statements = code.wipe(part, value)
      return statements && `if (${value} !== undefined) {${statements}}`
    },
  }
}

/** A name for a number. @param size bytes of the number */
export function straightEnumeration(
  size: number,
  members: Readonly<Record<string, number>>,
  names: ReadonlyMap<number, string>,
  unfit: Refuse,
  unknown: Complaint,
): Straight {
  const byNumber: (string | undefined)[] = []
  for (const [number, name] of names) if (number < FEW) byNumber[number] = name
  const entries = Object.entries(members)
  const numbers = new Map(entries)
  return {
    write(code, value) {
      const number = code.name()
      const cases = entries.map(
        ([name, member]) => `case ${JSON.stringify(name)}: ${number} = ${member}; break;`,
      )
      // Of few names the right one is found sooner than its hash.
      const found =
        entries.length > FEW
          ? `const ${number} = ${code.constant(numbers)}.get(${value});`
          : `let ${number}; switch (${value}) {${cases.join('')}}`
      const refuse = `if (${number} === undefined) ${code.constant(unfit)}(${value});`
      return `${found} ${refuse} w.uint(${number}, ${size});`
    },
    read(code, target) {
      const number = code.name()
      const lookUp = names.size === byNumber.filter(Boolean).length ? code.constant(byNumber) : undefined
      const found = lookUp ? `${lookUp}[${number}]` : `${code.constant(names)}.get(${number})`
      return (
        `const ${number} = r.uint(${size}); const ${target} = ${found}; ` +
        `if (${target} === undefined) r.fail(${code.constant(unknown)}(${number}));`
      )
    },
  }
}

/** Members of an enumeration that are looked up without a hash. */
const FEW = 32

/** Fields, read one after the other and then made into one object. */
export function straightStruct(fields: Readonly<Record<string, Part>>): Straight {
  return {
    write: (code, value) => writeFields(code, fields, value),
    read(code, target) {
      const { statements, object } = readFields(code, fields)
      return `${statements} const ${target} = ${object};`
    },
    wipe: (code, value) => wipeFields(code, fields, value),
  }
}

/** A tag, and the fields of its case. @param fieldsOf by tag */
export function straightSelect(
  tag: string,
  kind: Part,
  fieldsOf: Readonly<Record<string, Readonly<Record<string, Part>>>>,
): Straight {
  return {
    write(code, value) {
      const key = code.name()
      const cases = Object.entries(fieldsOf).map(([name, fields]) => {
        const call = code.apart('w, value', `w, ${value}`, own => writeFields(own, fields, 'value'))
        return `case ${JSON.stringify(name)}: {${call ?? writeFields(code, fields, value)}; break;}`
      })
      const tagged = `const ${key} = ${value}${property(tag)};${code.write(kind, key)}`
      return `${tagged} switch (${key}) {${cases.join('')}
        default: ${code.constant(noCase)}(${key});}`
    },
    read(code, target) {
      const key = code.name()
      const cases = Object.entries(fieldsOf).map(([name, fields]) => {
        const tagged = `${JSON.stringify(tag)}: ${JSON.stringify(name)}, `
        const call = code.apart('r', 'r', own => {
          const { statements, object } = readFields(own, fields, tagged)
          return `${statements} return ${object};`
        })
        if (call !== undefined) return `case ${JSON.stringify(name)}: {${target} = ${call}; break;}`
        const { statements, object } = readFields(code, fields, tagged)
        return `case ${JSON.stringify(name)}: {${statements} ${target} = ${object}; break;}`
      })
      return `${code.read(kind, key)} let ${target}; switch (${key}) {${cases.join('')}
        default: ${code.constant(noCase)}(${key});}`
    },
    wipe(code, value) {
      const cases = Object.entries(fieldsOf)
        .map(([name, fields]) => [name, wipeFields(code, fields, value)] as const)
        .filter(([, statements]) => statements !== '')
        .map(([name, statements]) => `case ${JSON.stringify(name)}: {${statements} break;}`)
      return cases.length === 0 ? '' : `switch (${value}${property(tag)}) {${cases.join('')}}`
    },
  }
}

function wipeFields(code: Code, fields: Readonly<Record<string, Part>>, value: string): string {
  return Object.entries(fields)
    .map(([key, part]) => {
      const name = code.name()
      const statements = code.wipe(part, name)
      return statements && `const ${name} = ${value}${property(key)};${statements}`
    })
    .join('')
}

function noCase(key: string): never {
  throw new TypeError(`there is no case ${key}`)
}

function unless(length: string, floor: number, ceiling: number): string {
  return `if (${length} < ${floor} || ${length} > ${ceiling})`
}

function readLength(
  code: Code,
  length: string,
  size: number,
  [floor, ceiling]: readonly [number, number],
  outside: Complaint,
): string {
  const refuse = `r.fail(${code.constant(outside)}(${length}));`
  return `const ${length} = r.uint(${size}); ${unless(length, floor, ceiling)} ${refuse}`
}

function property(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

/** @param first properties before those of the fields */
function readFields(
  code: Code,
  fields: Readonly<Record<string, Part>>,
  first = '',
): { readonly statements: string; readonly object: string } {
  let statements = ''
  let properties = first
  for (const [key, part] of Object.entries(fields)) {
    const name = code.name()
    statements += code.read(part, name)
    properties += `${JSON.stringify(key)}: ${name}, `
  }
  return { statements, object: `{ ${properties}}` }
}

function writeFields(code: Code, fields: Readonly<Record<string, Part>>, value: string): string {
  return Object.entries(fields)
    .map(([key, part]) => {
      const name = code.name()
      return `const ${name} = ${value}${property(key)};${code.write(part, name)}`
    })
    .join('')
}
