import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/stack/config.ts'
import { stackSchema } from '../../src/stack/schema.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const judge = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(stackSchema())

/** What an editor would mark in a stack file: paths, and what is wrong with them. */
function marked(text: string): string[] {
  judge(parse(text))
  return (judge.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

/** Stack files that users of hotpotato begin with. */
function stackFiles(): string[] {
  const folders = ['examples', 'templates'].filter(name => existsSync(join(ROOT, name)))
  const below = folders.flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
  )
  return ['hotpotato.yml', ...below.filter(name => /\.ya?ml$/.test(name))]
}

/** Those on the pages of the docs, and parts of such: between fences, or indented. */
function stackFilesOnPages(): (readonly [string, string])[] {
  const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map(name => `docs/${name}`)]
  const begins = new RegExp(`^(#.*\\n)*(${Object.keys(stackSchema().properties as object).join('|')}):`)
  return pages
    .filter(name => name.endsWith('.md'))
    .flatMap(name => {
      const page = readFileSync(join(ROOT, name), 'utf8')
      const fenced = [...page.matchAll(/^```ya?ml\n([\s\S]*?)^```$/gm)].map(([, text]) => text!)
      const indented = [...page.matchAll(/(?<=\n\n)( {4}.*\n)+/g)].map(([text]) =>
        text.replace(/^ {4}/gm, ''),
      )
      return [...fenced, ...indented]
        .filter(text => begins.test(text))
        .map(text => [name, /^functions:/m.test(text) ? text : `${text}functions: { a: }\n`] as const)
    })
}

/** Every key that the schema knows, as pages write it: `trust[].warm`, `isolation` of a function. */
function keysIn(schema: Readonly<Record<string, unknown>>, path = ''): string[] {
  const ways = [schema, ...((schema.anyOf ?? []) as (typeof schema)[])]
  const own = ways.flatMap(way =>
    Object.entries((way.properties ?? {}) as Readonly<Record<string, typeof schema>>).flatMap(
      ([name, one]) =>
        name === 'functions' && path === '' ? keysIn(one) : [path + name, ...keysIn(one, `${path}${name}.`)],
    ),
  )
  const { items, additionalProperties } = schema
  const list = typeof items === 'object' ? keysIn(items as typeof schema, `${path.slice(0, -1)}[].`) : []
  const map =
    typeof additionalProperties === 'object' ? keysIn(additionalProperties as typeof schema, path) : []
  return [...own, ...list, ...map]
}

describe('the schema', () => {
  it.each(stackFiles())('takes %s, and so does what reads it', name => {
    const text = readFileSync(join(ROOT, name), 'utf8')
    expect(marked(text)).toEqual([])
    parseConfig(text, join(ROOT, name, '..'))
  })

  it.each(stackFilesOnPages())('takes what stands in %s: %j', (_, text) => {
    expect(marked(text)).toEqual([])
  })

  it('takes a stack.yml of OpenFaaS’s', () => {
    const text = `version: 1.0
provider: { name: openfaas, gateway: http://127.0.0.1:8080 }
configuration: { templates: [{ name: node22, source: https://example.com }] }
functions:
  greeter:
    lang: node22
    handler: ./greeter
    image: registry.example/greeter:latest
    environment: { write_debug: true, exec_timeout: 10s }
    environment_file: [a.env]
    secrets: [api-key]
    labels: { com.openfaas.scale.min: "2" }
    limits: { memory: 128Mi, cpu: 500m }
    requests: { memory: 64M, cpu: 0.1 }
    constraints: [node.role == worker]
    readonly_root_filesystem: true
    build_args: { A: b }
    build_options: [dev]
    skip_build: true
`
    expect(marked(text)).toEqual([])
  })

  it.each([
    ['functions: { a: { replica: 2 } }', '/functions/a must NOT have additional properties'],
    ['functions: { a: { replicas: none } }', '/functions/a/replicas must be integer'],
    ['functions: { A: {} }', '/functions must match pattern'],
    ['functions: {}', '/functions must NOT have fewer than 1 properties'],
    ['gateway: { http: 70000 }\nfunctions: { a: }', '/gateway/http must be <= 65535'],
    ['connection: { timers: { keepAlive: soon } }\nfunctions: { a: }', '/connection/timers/keepAlive'],
    ['carrier: fb\nfunctions: { a: }', '/carrier must be equal to one of the allowed values'],
    ['version: 1', " must have required property 'functions'"],
  ])('marks %j, as what reads it remarks on it', (text, message) => {
    expect(marked(text).join('\n')).toContain(message)
    let said: readonly string[]
    try {
      said = parseConfig(text, ROOT).warnings
    } catch (error) {
      said = [(error as Error).message]
    }
    expect(said).toHaveLength(1)
  })

  it('has no key that docs/stack-file.md leaves out', () => {
    const page = readFileSync(join(ROOT, 'docs/stack-file.md'), 'utf8')
    const keys = keysIn(stackSchema())
    expect(keys).toContain('tls.acme.externalAccount.keyId')
    // Those without meaning stand in a list.
    const [list] = /(?<=remarked on once and harmless:\n)(`.*\n)+/.exec(page)!
    const isThere = (key: string): boolean => page.includes(`| \`${key}\` |`) || list.includes(`\`${key}\``)
    expect(keys.filter(key => !isThere(key))).toEqual([])
  })

  it('says of every key what it is for', () => {
    const bare: string[] = []
    const visit = (schema: Readonly<Record<string, unknown>>, path: string): void => {
      const properties = (schema.properties ?? {}) as Readonly<Record<string, Record<string, unknown>>>
      for (const [name, one] of Object.entries(properties)) {
        if (typeof one.description !== 'string') bare.push(`${path}.${name}`)
        visit(one, `${path}.${name}`)
      }
      const { additionalProperties, items, anyOf = [] } = schema
      for (const one of [additionalProperties, items, anyOf].flat())
        if (typeof one === 'object') visit(one as typeof schema, path)
    }
    visit(stackSchema(), '')
    expect(bare).toEqual([])
  })
})
