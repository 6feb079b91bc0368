import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

interface Validator {
  (value: unknown): boolean
  errors?: readonly { readonly instancePath: string; readonly message?: string }[] | null
}

/**
 * Whether something is a result as `bench/results/schema.json` describes it. @returns what is wrong; empty:
 * nothing
 */
export function faultsOf(result: unknown): string[] {
  validate(result)
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

// It comes with fastify, and its types are made for CommonJS.
const { Ajv } = createRequire(import.meta.url)('ajv') as {
  Ajv: new (options: object) => { compile(schema: unknown): Validator }
}
const schema = JSON.parse(readFileSync(new URL('../../bench/results/schema.json', import.meta.url), 'utf8'))
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema)
