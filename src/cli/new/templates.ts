/** A beginning of a function, in one language or for one framework. */
export interface Template {
  /** What `--lang` says. */
  readonly name: string
  /** Other words for it; those of OpenFaaS stay as they are in the stack file. */
  readonly aliases: readonly string[]
  readonly summary: string
  /** What stands in the stack file besides the folder. */
  readonly entry: Readonly<Record<string, unknown>>
  /** Whether packages have to be installed before it runs. */
  readonly packages: boolean
  /** A program that must be there. */
  readonly program?: string
}

/** The templates; each has a folder of its name in `templates` of the package. */
export const TEMPLATES: readonly Template[] = [
  {
    name: 'fetch',
    aliases: ['js', 'javascript', 'web'],
    summary: "a fetch handler: the web's Request and Response",
    entry: { lang: 'fetch' },
    packages: false,
  },
  {
    name: 'node',
    aliases: ['node24', 'node22', 'node20', 'node18', 'node17', 'node16', 'node14', 'node12'],
    summary: "OpenFaaS's node handler: (event, context)",
    entry: { lang: 'node' },
    packages: false,
  },
  {
    name: 'hono',
    aliases: [],
    summary: 'an application of Hono',
    entry: { lang: 'hono' },
    packages: true,
  },
  {
    name: 'express',
    aliases: [],
    summary: 'an application of Express',
    entry: { lang: 'express' },
    packages: true,
  },
  {
    name: 'python',
    aliases: ['python3', 'python3-debian'],
    summary: "OpenFaaS's classic Python handler: text in, text out",
    entry: { lang: 'python3', pool: 2 },
    packages: false,
    program: 'python3',
  },
  {
    name: 'shell',
    aliases: ['sh', 'bash'],
    summary: 'a shell script: a process for each request',
    entry: { command: ['sh', 'handler.sh'], mode: 'fork' },
    packages: false,
    program: 'sh',
  },
]

/** All words that `--lang` takes. */
export const LANGS: readonly string[] = TEMPLATES.flatMap(({ name, aliases }) => [name, ...aliases])

/** @returns the template of a word, and what the stack file says of it; undefined if there is none */
export function templateNamed(
  lang: string,
): { readonly template: Template; readonly entry: Readonly<Record<string, unknown>> } | undefined {
  const template = TEMPLATES.find(({ name, aliases }) => name === lang || aliases.includes(lang))
  if (template === undefined) return undefined
  const kept = /^(node|python)\d/.test(lang) ? { lang } : {}
  return { template, entry: { ...template.entry, ...kept } }
}
