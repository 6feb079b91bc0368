import type { FitEnum, Metadata, Sharp } from 'sharp'
import { MissingPackageError, optionalPackage } from '../../platform/optional-package.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { FetchHandler } from '../contract.ts'
import { methodNotAllowed, problem, text } from './lib/answers.ts'

/** Bytes of an image that is taken in. */
const MAX_BYTES = 10 * 1024 * 1024
/** Pixels of an image that is taken in. */
const MAX_PIXELS = 40_000_000
/** Pixels of either side of an image that is given out. */
const MAX_SIDE = 4096
/** Seconds that one image may take. */
const MAX_SECONDS = 20

const FITS = ['cover', 'contain', 'fill', 'inside', 'outside'] as const satisfies readonly (keyof FitEnum)[]
const FORMATS = ['jpeg', 'png', 'webp', 'avif'] as const
type Format = (typeof FORMATS)[number]

/** @param url of the request: what is printed works as it stands */
const help = (url: string): string => `POST an image here and get it back in another size or format:

  curl --data-binary @in.jpg '${url.split('?', 1)[0]!.replaceAll("'", '%27')}?width=320' -o out.jpg

  width, height  pixels, 1 to ${MAX_SIDE}; with one of them the aspect ratio is kept
  fit            ${FITS.join(', ')} (with both; default: cover)
  format         ${FORMATS.join(', ')} (default: that of the image, or png)

Images of at most ${MAX_BYTES / 1024 / 1024} MiB and ${MAX_PIXELS / 1e6} million pixels:
JPEG, PNG, WebP, AVIF, GIF and TIFF.
`

/** Changes the size and the format of an image. */
const resize: FetchHandler = {
  async fetch(request) {
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return text(help(request.url), request.method)
      case 'POST':
        try {
          return await resized(request)
        } catch (error) {
          if (error instanceof Refusal) return problem(error.status, error.title, error.message)
          if (error instanceof MissingPackageError) return problem(501, 'Not Implemented', error.message)
          throw error
        }
      default:
        return methodNotAllowed(request.method, 'GET, HEAD, POST')
    }
  },
}

export default resize

/** The request cannot be served, and it is the request's fault. */
class Refusal extends Error {
  readonly status: number
  readonly title: string

  constructor(status: number, title: string, detail: string) {
    super(detail)
    this.status = status
    this.title = title
  }
}

function badRequest(detail: string): Refusal {
  return new Refusal(400, 'Bad Request', detail)
}

interface Wanted {
  readonly width: number | undefined
  readonly height: number | undefined
  readonly fit: keyof FitEnum
  readonly format: Format | undefined
}

async function resized(request: Request): Promise<Response> {
  const wanted = parameters(new URL(request.url).searchParams)
  const input = await readBody(request)
  if (input.length === 0) throw badRequest('the request contains no image')
  const sharp = await loadSharp()
  try {
    const image = sharp(input, { limitInputPixels: MAX_PIXELS, failOn: 'error' })
    const metadata = await image.metadata()
    checkOutput(metadata, wanted)
    const { width, height, fit } = wanted
    const output = image.autoOrient().resize({ width, height, fit }).timeout({ seconds: MAX_SECONDS })
    const format = wanted.format ?? sameFormat(metadata)
    return new Response(await output.toFormat(format).toBuffer(), {
      headers: { 'content-type': `image/${format}` },
    })
  } catch (error) {
    if (error instanceof Refusal) throw error
    // Whatever sharp says about an image is about that image: formats, damage, limits.
    throw badRequest(`the image cannot be read: ${reasonOf(error)}`)
  }
}

function parameters(query: URLSearchParams): Wanted {
  for (const name of query.keys()) {
    if (!['width', 'height', 'fit', 'format'].includes(name))
      throw badRequest(`there is no parameter ${name}`)
    if (query.getAll(name).length > 1) throw badRequest(`${name} is given more than once`)
  }
  const wanted: Wanted = {
    width: side(query, 'width'),
    height: side(query, 'height'),
    fit: oneOf(query, 'fit', FITS) ?? 'cover',
    format: oneOf(query, 'format', FORMATS),
  }
  if (wanted.width === undefined && wanted.height === undefined && wanted.format === undefined) {
    throw badRequest('give at least one of width, height and format')
  }
  return wanted
}

function side(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null) return undefined
  const pixels = /^\d{1,4}$/.test(value) ? Number(value) : 0
  if (pixels < 1 || pixels > MAX_SIDE) throw badRequest(`${name} must be a number from 1 to ${MAX_SIDE}`)
  return pixels
}

function oneOf<const T extends string>(
  query: URLSearchParams,
  name: string,
  allowed: readonly T[],
): T | undefined {
  const value = query.get(name)
  if (value === null) return undefined
  const found = allowed.find(one => one === value)
  if (found === undefined) throw badRequest(`${name} must be one of ${allowed.join(', ')}`)
  return found
}

async function readBody(request: Request): Promise<Uint8Array> {
  const tooLarge = new Refusal(413, 'Content Too Large', `an image may have at most ${MAX_BYTES} bytes`)
  if (Number(request.headers.get('content-length')) > MAX_BYTES) throw tooLarge
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > MAX_BYTES) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A small image may grow beyond all bounds when only one side is given, or when it has to cover both. */
function checkOutput({ autoOrient }: Metadata, { width, height, fit }: Wanted): void {
  const scales = [(width ?? 0) / autoOrient.width, (height ?? 0) / autoOrient.height]
  if (width !== undefined && height !== undefined && fit !== 'outside') return
  if (width === undefined && height === undefined) return
  const scale = Math.max(...scales)
  if (Math.max(autoOrient.width, autoOrient.height) * scale > MAX_SIDE) {
    throw badRequest(`the result would have a side of more than ${MAX_SIDE} pixels`)
  }
}

function sameFormat({ format, compression }: Metadata): Format {
  if (format === 'heif' && compression === 'av1') return 'avif'
  return FORMATS.find(one => one === format) ?? 'png'
}

type SharpModule = (input: Uint8Array, options: { limitInputPixels: number; failOn: 'error' }) => Sharp
let loading: Promise<SharpModule> | undefined

/** Loads sharp with the first image, so that the container starts quickly and serves the rest without it. */
function loadSharp(): Promise<SharpModule> {
  loading ??= optionalPackage('sharp', 'resizing', () => import('sharp')).then(({ default: sharp }) => {
    sharp.concurrency(1)
    sharp.cache(false)
    // Only the decoders of the common formats, none that reads text, scripts or other files.
    sharp.block({ operation: ['VipsForeignLoad'] })
    sharp.unblock({ operation: LOADERS })
    return sharp as SharpModule
  })
  return loading
}

const LOADERS = ['Jpeg', 'Png', 'Webp', 'Heif', 'Nsgif', 'Tiff'].map(name => `VipsForeignLoad${name}`)
