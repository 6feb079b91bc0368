import { readFileSync } from 'node:fs'
import { BenchError, type BenchResult, FORMAT } from './run.ts'

/** Reads what a bench has left in a file. @throws BenchError it is no result of this format */
export function readResult(file: string): BenchResult {
  let result: BenchResult
  try {
    result = JSON.parse(readFileSync(file, 'utf8')) as BenchResult
  } catch (error) {
    throw new BenchError(`${file}: ${(error as Error).message}`)
  }
  if (result?.format !== FORMAT || !Array.isArray(result.measurements))
    throw new BenchError(`${file} is not a result of format ${FORMAT}`)
  return result
}
