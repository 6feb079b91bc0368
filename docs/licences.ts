import { existsSync, readFileSync } from 'node:fs'

/** A package as the lock file has it. */
export interface LockedPackage {
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
  /** Where it is from; left out for the registry. */
  readonly resolved?: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

/** @returns the packages of a lock file by their paths, without the project itself */
export function lockedPackages(text: string): readonly (readonly [path: string, LockedPackage])[] {
  const { packages } = JSON.parse(text) as { packages: Record<string, LockedPackage> }
  return Object.entries(packages).filter(([path]) => path !== '')
}

/** The page on licences, from `package-lock.json`. */
export function licences(): string {
  const all = lockedPackages(readFileSync(lockFile(), 'utf8'))
  const [developed, run] = [true, false].map(dev => all.filter(([, one]) => (one.dev ?? false) === dev))
  return `# Licences

Generated from \`package-lock.json\` by \`npm run docs\`; a test fails when this page is not current, when a
package of the lock file has no licence or no integrity hash, and when one of another licence comes in.

hotpotato itself is under the MIT licence.

## What an installation holds

These are the packages of \`npm ci --omit=dev\`. Of those that end with an asterisk there is one for each
platform, and npm installs the one that fits.

| licence | packages |
| --- | --- |
${rows(run!, names => names.map(name => `\`${name}\``).join(', '))}

**libvips is under the LGPL.** \`sharp\` itself, which the function \`resize\` uses, is under Apache-2.0. The
prebuilt libvips that it loads, and some libraries inside of it, are under LGPL-3.0-or-later; what is in it is
in the README of \`@img/sharp-libvips-*\`. For Linux and macOS it is a shared library, in a package of its
own, and can be replaced. For Windows and WebAssembly it comes in the package of \`sharp\`. Who passes such an
installation on passes libvips on, under its licence. hotpotato holds nothing of it: without \`sharp\` all
but \`resize\` works.

## What development needs

None of these is in an installation.

| licence | packages |
| --- | --- |
${rows(developed!, names => String(names.length))}

## Test vectors

They are in the repository alone, each with its own licence beside it.

| directory | licence |
| --- | --- |
| \`vectors/hpack\` | MIT |
| \`vectors/http/llhttp\` | MIT |
| \`vectors/rfc8448\` | BSD-2-Clause, as the code of an RFC is |
| \`vectors/wycheproof\` | Apache-2.0 |
`
}

function rows(
  packages: readonly (readonly [string, LockedPackage])[],
  cell: (names: readonly string[]) => string,
): string {
  const byLicence = new Map<string, Set<string>>()
  for (const [path, { license = 'none' }] of packages) {
    const names = byLicence.get(license) ?? new Set()
    byLicence.set(license, names.add(nameOf(path)))
  }
  return [...byLicence]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([licence, names]) => `| ${licence} | ${cell([...names].sort())} |`)
    .join('\n')
}

const PLATFORM = /-(android|darwin|freebsd|linux|linuxmusl|openbsd|wasm32|webcontainers|win32)(-.*)?$/

/** @param path where it is installed, perhaps below the package that wants another version of it */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length).replace(PLATFORM, '-*')
}

/** This runs from `docs` in tests, and compiled from `dist/docs`. */
function lockFile(): URL {
  const [near, far] = ['../package-lock.json', '../../package-lock.json'].map(
    path => new URL(path, import.meta.url),
  )
  return existsSync(near!) ? near! : far!
}
