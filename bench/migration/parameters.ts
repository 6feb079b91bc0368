import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { chooseChannel } from '../../src/transfer/channel.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { nonsenseIn, USUAL_ENGINES } from '../engines/known.ts'
import { pinnable } from '../harness/environment.ts'
import type { Skipped } from '../harness/measurement.ts'
import { type Mode, names, OptionError, type Options, type Values, wholes } from '../harness/options.ts'
import { usableCpus } from '../rig/placement.ts'
import { cannotBe } from './platform.ts'
import { type Circumstances, type Placement, type ProviderName, type SceneOptions, SUITES } from './rows.ts'

/** The bench's own options. Lists; where several say under what circumstances, the first one is the rule. */
export const OPTIONS = {
  provider: { value: 'A,B', help: 'of evp, node, noble' },
  placement: {
    value: 'A,B',
    help: 'of one (all on one core), two (servers on one, the client on another), free',
  },
  suite: { value: 'A,B', help: 'of the three cipher suites' },
  seal: { value: 'A,B', help: 'of on, off: envelopes sealed, or merely copied' },
  channel: { value: 'A,B', help: 'of native (foreign calls), ipc' },
  carrier: { value: 'A,B', help: 'of fd, relay' },
  alpha: { value: 'P,P', help: 'percent of requests that move their connection' },
  payload: { value: 'N,N', help: 'bytes of content, 4 to 4 Mi' },
  connections: { value: 'N,N', help: 'how many are open, up to 10000' },
  chain: { value: 'K,K', help: 'containers on a tour, 2 to 16' },
  rate: { value: 'R,R', help: 'requests a second in open loop' },
  only: { value: 'A,B', help: 'of rows, stages, alpha, payload, connections, chain, open, sustained' },
  engines: {
    value: 'A,B',
    help: 'measured beside the platform: floor, tiny, platform, wolfssl, picotls, commands, or none',
  },
  'raw-function': {
    value: 'FILE',
    place: 'module',
    help: 'measure this raw handler instead; it must give each body back twice',
  },
  profile: {
    value: 'DIR',
    place: 'folder',
    help: 'leave a CPU profile of each process in DIR/SCENE; nothing is kept',
  },
} as const satisfies Options

/** What can be asked for alone: a task of {@link Task}. */
export const ONLY = [
  'rows',
  'stages',
  'alpha',
  'payload',
  'connections',
  'chain',
  'open',
  'sustained',
] as const
export type Only = (typeof ONLY)[number]

/** What is measured besides the rows of every scene. */
export interface SweepValues {
  readonly alpha: readonly number[]
  readonly payload: readonly number[]
  readonly connections: readonly number[]
  readonly chain: readonly number[]
  readonly rate: readonly number[]
}

/** What a run is asked to measure. */
export interface Asked {
  readonly scenes: readonly SceneOptions[]
  readonly only: ReadonlySet<Only>
  readonly sweeps: SweepValues
  readonly skipped: readonly Skipped[]
}

const TEN_SIZES = [64, 256, 1024, 4096, 16_384, 65_536, 131_072, 262_144, 524_288, 1_048_576]

const SWEEPS: Readonly<Record<Mode, SweepValues>> = {
  quick: {
    alpha: [0, 50, 100],
    payload: [64, 16_384, 65_536],
    connections: [1, 10, 100],
    chain: [2, 3],
    rate: [500, 1000],
  },
  default: {
    alpha: [0, 25, 50, 75, 100],
    payload: TEN_SIZES,
    connections: [1, 10, 100, 1000],
    chain: [2, 4],
    rate: [500, 1000, 2000, 4000],
  },
  full: {
    alpha: [0, 10, 25, 50, 75, 90, 100],
    payload: TEN_SIZES,
    connections: [1, 10, 100, 1000, 10_000],
    chain: [2, 3, 4, 8],
    rate: [250, 500, 1000, 2000, 4000, 8000],
  },
}

/** @throws OptionError */
export function ask(mode: Mode, values: Values<typeof OPTIONS>): Asked {
  const { sweeps, skipped } = { sweeps: sweepsOf(mode, values), skipped: [...NEVER] }
  const factors = factorsOf(mode, values)
  const base = Object.fromEntries(
    Object.entries(factors).map(([name, [first]]) => [name, first]),
  ) as unknown as Circumstances
  // One factor at a time: the base, and for every other value of a factor the base with that value.
  const variations = Object.entries(factors).flatMap(([name, [, ...others]]) =>
    (others as readonly string[]).map((value): Circumstances => ({ ...base, [name]: value })),
  )
  const only = new Set(values.only === undefined ? ONLY : names('only', values.only, ONLY))
  const engines = only.has('rows') ? enginesOf(values.engines) : []
  const alone = cannotBeInOneProcess(base)
  if (alone !== undefined) skipped.push({ name: 'process.user', labels: { ...base }, reason: alone })
  // They would go on while others are measured. What warms up here is what is measured.
  const rehearsing = { rehearsals: 0 }
  const scenes = [base, ...variations].flatMap((one, index): SceneOptions[] => {
    const reason = cannotRun(one)
    if (reason !== undefined) {
      if (index === 0) throw new OptionError(reason)
      skipped.push({ name: 'scene', labels: { ...one }, reason })
      return []
    }
    const containers = index === 0 ? Math.max(2, ...sweeps.chain) : 2
    const { 'raw-function': rawFunction, profile } = values
    const scene = {
      ...one,
      ...rehearsing,
      containers,
      marks: false,
      // To what else differs they have nothing to say.
      engines: index === 0 || one.placement !== base.placement ? engines : [],
      inOneProcess: index === 0 && alone === undefined && only.has('rows'),
      ...(rawFunction === undefined ? {} : { rawFunction }),
    }
    return [profile === undefined ? scene : { ...scene, profiles: `${profile}/${index}` }]
  })
  const stages = cannotWatch(base, values)
  const alike = { ...base, ...rehearsing, containers: 2, engines: [], inOneProcess: false }
  if (stages === undefined) scenes.push({ ...alike, marks: true })
  else skipped.push({ name: 'stage', labels: { ...base }, reason: stages })
  if (only.has('open') && openScene(scenes) === undefined)
    skipped.push({
      name: 'open',
      labels: {},
      reason: 'in open loop the client must be on time, and needs a core of its own: --placement two',
    })
  return { scenes: scenes.filter((scene, index) => index === 0 || isFor(scene, only)), only, sweeps, skipped }
}

/** Whether there is anything to do in a scene besides the base. */
function isFor(scene: SceneOptions, only: ReadonlySet<Only>): boolean {
  if (scene.marks) return only.has('stages')
  return only.has('rows') || (only.has('open') && scene.placement === 'two cores')
}

/** Where open loop is measured. */
export function openScene<S extends { readonly placement: Placement; readonly marks: boolean }>(
  scenes: readonly S[],
): S | undefined {
  return scenes.find(({ placement, marks }) => placement === 'two cores' && !marks)
}

const NEVER: readonly Skipped[] = [
  { name: 'node.early', labels: {}, reason: 'node:tls has no early data' },
  { name: 'raw.early', labels: {}, reason: 'containers accept no early data' },
]

type Factors = { readonly [K in keyof Circumstances]: readonly Circumstances[K][] }

function factorsOf(mode: Mode, values: Values<typeof OPTIONS>): Factors {
  const list = <const N extends string>(
    option: keyof Values<typeof OPTIONS>,
    known: readonly N[],
    fallback: readonly N[],
  ): readonly N[] => {
    const text = values[option]
    return text === undefined ? fallback : [...new Set(names(option, text as string, known))]
  }
  const cpu = pinnable()
  const places: Readonly<Record<'one' | 'two' | 'free', Placement>> = {
    one: 'one core',
    two: 'two cores',
    free: 'free',
  }
  const usual =
    cpu === undefined
      ? (['free'] as const)
      : usableCpus()[1] === undefined
        ? (['one'] as const)
        : (['one', 'two'] as const)
  const providers: readonly ProviderName[] = probeEvp().available
    ? ['evp', 'node', 'noble']
    : ['node', 'noble']
  const all = mode === 'full'
  const channel = chooseChannel().kind
  return {
    placement: list('placement', ['one', 'two', 'free'], usual).map(place => places[place]),
    provider: list(
      'provider',
      ['evp', 'node', 'noble'],
      mode === 'quick' ? providers.slice(0, 1) : providers,
    ),
    suite: list('suite', SUITES, all ? SUITES : SUITES.slice(0, 1)),
    channel: list('channel', ['native', 'ipc'], all && channel === 'native' ? ['native', 'ipc'] : [channel]),
    carrier: list('carrier', ['fd', 'relay'], all ? ['fd', 'relay'] : ['fd']),
    seal: list('seal', ['on', 'off'], all ? ['on', 'off'] : ['on']),
  }
}

function sweepsOf(mode: Mode, values: Values<typeof OPTIONS>): SweepValues {
  const preset = SWEEPS[mode]
  const list = (option: keyof SweepValues, least: number, most: number): readonly number[] => {
    const text = values[option]
    return text === undefined ? preset[option] : wholes(option, text, least, most)
  }
  return {
    alpha: list('alpha', 0, 100),
    payload: list('payload', 4, 1 << 22),
    connections: [...list('connections', 1, 10_000)].sort((one, other) => one - other),
    chain: list('chain', 2, 16),
    rate: list('rate', 1, 100_000),
  }
}

/** Why there can be no such scene here. */
function cannotRun({ placement, provider, channel, carrier }: Circumstances): string | undefined {
  if (provider === 'evp' && !probeEvp().available) return 'evp does not work here'
  if (channel === 'native' && !probe().available) return 'foreign calls do not work here'
  if (placement !== 'free' && pinnable() === undefined) return 'there is no taskset to pin with'
  if (placement === 'two cores' && usableCpus()[1] === undefined) return 'there is only one core'
  return cannotBe({ carrier })
}

function enginesOf(text: string | undefined): readonly string[] {
  if (text === undefined) return USUAL_ENGINES
  const engines = text === 'none' ? [] : text.split(',')
  for (const name of engines) {
    const nonsense = nonsenseIn(name)
    if (nonsense !== undefined) throw new OptionError(`--engines: ${nonsense}`)
  }
  return engines
}

/** Why moves cannot be measured in one process: there the platform is as it is by default. */
function cannotBeInOneProcess({ provider, suite, channel, seal }: Circumstances): string | undefined {
  const usual = provider === 'evp' && suite === SUITES[0] && channel === 'native' && seal === 'on'
  return usual ? undefined : 'in one process all is as it is by default: evp, native, sealed'
}

/** Why the stages cannot be watched. */
function cannotWatch({ channel }: Circumstances, values: Values<typeof OPTIONS>): string | undefined {
  if (channel !== 'native') return 'the marks are in the native channel'
  if (values['raw-function'] !== undefined) return "the marks are in the bench's own function"
  return values.profile === undefined ? undefined : 'a profiler is running'
}
