import { it } from 'vitest'
import { type Abilities, inabilities, type Meeting, type Row, rowsFor } from './matrix.ts'

/**
 * A test for every row to try with a peer, and a skipped one with the reason for everything that it cannot
 * do.
 * @param meeting as {@link rowsFor}
 */
export function testRows(
  abilities: Abilities,
  go: (row: Row) => Promise<void>,
  meeting: Meeting = 'once',
): void {
  for (const row of rowsFor(abilities, meeting)) {
    it(`${row.path}: ${row.suite}, ${row.group}, ${row.certificate}`, () => go(row))
  }
  for (const reason of inabilities(abilities)) it.skip(`cannot do ${reason}`)
}
