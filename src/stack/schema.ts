import { ROOT } from './keys.ts'
import type { Schema } from './readers.ts'

/** What an editor is told of the stack file: JSON Schema 2020-12, out of what reads it. */
export function stackSchema(): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'The stack file of hotpotato',
    description: 'What `hotpotato up` runs: a superset of the stack.yml of OpenFaaS.',
    ...ROOT.schema,
    type: 'object',
    required: ['functions'],
  }
}
