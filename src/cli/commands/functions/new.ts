import { CONFIG, defineCommand } from '../../line/command.ts'
import { UsageError } from '../../line/usage-error.ts'
import { TEMPLATES } from '../../new/templates.ts'

const NAMES = TEMPLATES.map(({ name }) => name)

export const command = defineCommand({
  name: 'new',
  synopsis: 'NAME --lang LANG',
  summary: 'make a function out of a template, and add it to the stack file',
  words: { least: 0, most: 1 },
  options: {
    lang: { kind: 'text', value: 'LANG', help: `${NAMES.join(', ')}; default: fetch`, offers: NAMES },
    handler: {
      kind: 'text',
      value: 'FOLDER',
      help: 'where it goes; default: the folder NAME beside the stack file',
      completes: 'file',
    },
    list: { kind: 'switch', help: 'list the templates, and make nothing' },
    ...CONFIG,
  },
  help: `Makes the folder NAME with a function that runs as it is, adds it to hotpotato.yml (which is made if
it is not there, and keeps its comments if it is), and prints what to type next. Nothing is written over.
Names of OpenFaaS's templates, as node22 and python3, are known, too.`,
  examples: [
    'hotpotato new greet --lang fetch',
    'hotpotato new report --lang node22 --handler functions/report',
    'hotpotato new --list',
  ],
  async run({ lang = 'fetch', list, ...options }, [name]) {
    const { listTemplates, makeFunction } = await import('../../new/new.ts')
    if (list) return listTemplates()
    if (name === undefined) throw new UsageError('new needs a NAME; see hotpotato new --help')
    const { ask } = await import('../../platform/order.ts')
    const next = await ask('status', options).then(
      () => 'reload' as const,
      () => 'up' as const,
    )
    makeFunction(name, { lang, ...options, next })
  },
})
