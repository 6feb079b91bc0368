import { expect, it } from 'vitest'
import { Archive, readArchive, writeArchive } from '../../src/sealed/archive.ts'
import { encode, utf8 } from '../../src/wire/index.ts'

const file = (path: string) => ({ path, content: utf8(path) })

it('an archive gives back its files', () => {
  const archive = { entry: 'a/b.mjs', files: [file('a/b.mjs'), file('data.json')] }
  expect(readArchive(writeArchive(archive))).toEqual(archive)
})

it.each(['/etc/passwd', '../up', 'a/../b', 'a//b', './a', 'a/', 'nul\0', 'a\\b'])(
  'a path %j is refused',
  path => {
    const archive = { entry: 'a', files: [file('a'), file(path)] }
    expect(() => writeArchive(archive)).toThrow('is no path within a bundle')
    expect(() => readArchive(encode(Archive, archive))).toThrow('is no path within a bundle')
  },
)

it('an archive without its entry, with two files of one name or that breaks off is refused', () => {
  expect(() => writeArchive({ entry: 'b', files: [file('a')] })).toThrow('has no file "b"')
  expect(() => writeArchive({ entry: 'a', files: [file('a'), file('a')] })).toThrow('two files of one name')
  const bytes = writeArchive({ entry: 'a', files: [file('a')] })
  for (let end = 0; end < bytes.length; end++) expect(() => readArchive(bytes.subarray(0, end))).toThrow()
})
