import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A part of the page, and how much room it needs at {@link WIDTH}: pixels. */
interface Image {
  readonly file: string
  /** Its id. */
  readonly section: string
  /** CSS of what is left out of the section. */
  readonly without: string
  readonly height: number
}

const WIDTH = 840

const IMAGES: readonly Image[] = [
  {
    file: 'migration-latency.png',
    section: 'how-long-a-request-takes',
    without: 'figure:nth-of-type(n+2)',
    height: 590,
  },
  {
    file: 'migration-stages.png',
    section: 'where-each-microsecond-goes',
    without: 'figure:nth-of-type(1)',
    height: 620,
  },
  {
    file: 'migration-payload.png',
    section: 'under-which-circumstances',
    without: 'h3:not(:nth-of-type(2)), figure:not(:nth-of-type(2))',
    height: 580,
  },
  {
    file: 'failover.png',
    section: 'failover-measurements',
    without: 'h2, h3:not(:nth-of-type(1)), figure:not(:nth-of-type(1)), .scroll',
    height: 530,
  },
]

/**
 * Takes pictures of parts of a page by headless Chromium, in light colours.
 * @param page an HTML file of ours @param directory where the PNG files go @returns their paths @throws Error
 * there is no Chromium
 */
export function makeImages(page: string, directory: string): string[] {
  mkdirSync(directory, { recursive: true })
  const html = readFileSync(page, 'utf8')
  const scratch = mkdtempSync(join(tmpdir(), 'hotpotato-images-'))
  try {
    return IMAGES.filter(({ section }) => html.includes(`id="${section}"`)).map(
      ({ file, section: id, without, height }) => {
        const hidden = without.split(', ').map(one => `#${id} > ${one}`)
        const style = [
          'body { padding: 0 1rem; max-width: none }',
          `body > :not(#${id}) { display: none }`,
          `#${id} h2 { margin-top: .8rem }`,
          `:is(${hidden.join(', ')}) { display: none }`,
        ].join(' ')
        const part = join(scratch, 'part.html')
        writeFileSync(part, html.replace('</head>', `<style>${style}</style></head>`))
        const image = resolve(directory, file)
        shoot(pathToFileURL(part).href, image, height, scratch)
        return image
      },
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

function shoot(url: string, image: string, height: number, profile: string): void {
  const words = [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--hide-scrollbars'],
    ...[`--user-data-dir=${profile}`, `--window-size=${WIDTH},${height}`, `--screenshot=${image}`, url],
  ]
  try {
    execFileSync('chromium', words, { stdio: 'ignore', timeout: 60_000 })
  } catch (error) {
    throw new Error(`no picture of the page: chromium (Debian package chromium) ${(error as Error).message}`)
  }
}
