import type { Call } from './client.ts'
import type { Wanderer } from './wanderer.ts'

/** A request that is sealed and waits for its turn on its connection. */
interface Ready {
  readonly wanderer: Wanderer
  readonly sealed: readonly Uint8Array[]
}

/**
 * Open loop: requests come at moments of their own (a Poisson process, the same every time), whatever else is
 * waiting. Each goes to the next connection in turn, and waits there for the one before it. The time of each
 * is counted from the moment at which it was due, so that a stall counts for all that come during it. This
 * process spins, to be in time: it needs a core of its own.
 * @param rate requests a second @returns µs of each @throws WrongAnswer
 */
export async function openLoop(
  wanderers: readonly Wanderer[],
  rate: number,
  seconds: number,
  next: (wanderer: Wanderer) => Call,
): Promise<number[]> {
  const count = Math.max(wanderers.length, Math.round(rate * seconds))
  const { ready, settle } = prepare(wanderers, count, next)
  const due = arrivals(count, rate)
  const times: number[] = []
  const lines = new Map<Wanderer, { index: number; request: Ready }[]>(wanderers.map(one => [one, []]))
  let failure: unknown
  const began = performance.now()
  const serve = (wanderer: Wanderer): void => {
    const line = lines.get(wanderer)!
    const [first] = line
    if (first === undefined) return
    wanderer.client.request(first.request.sealed).then(
      arrivedAt => {
        times.push((arrivedAt - began - due[first.index]!) * 1000)
        line.shift()
        serve(wanderer)
      },
      (error: unknown) => {
        failure ??= error
      },
    )
  }
  for (let index = 0; failure === undefined && times.length < count; ) {
    while (index < count && performance.now() - began >= due[index]!) {
      const request = ready[index]!
      const line = lines.get(request.wanderer)!
      line.push({ index, request })
      if (line.length === 1) serve(request.wanderer)
      index++
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  if (failure !== undefined) throw failure
  settle()
  return times
}

/**
 * Closed loop on all connections at once: on each the next request follows its answer. @returns requests a
 * second
 * @throws WrongAnswer
 */
export async function sustained(
  wanderers: readonly Wanderer[],
  count: number,
  next: (wanderer: Wanderer) => Call,
): Promise<number> {
  const { ready, settle } = prepare(wanderers, count, next)
  const began = performance.now()
  const ends = await Promise.all(
    wanderers.map(async wanderer => {
      let end = began
      for (const one of ready) if (one.wanderer === wanderer) end = await wanderer.client.request(one.sealed)
      return end
    }),
  )
  const seconds = (Math.max(...ends) - began) / 1000
  settle()
  return ready.length / seconds
}

/** Seals requests for connections in turn. */
function prepare(
  wanderers: readonly Wanderer[],
  count: number,
  next: (wanderer: Wanderer) => Call,
): { ready: Ready[]; settle: () => void } {
  const calls = new Map<Wanderer, Call[]>(wanderers.map(one => [one, []]))
  const ready = Array.from({ length: count }, (_, index): Ready => {
    const wanderer = wanderers[index % wanderers.length]!
    const call = next(wanderer)
    calls.get(wanderer)!.push(call)
    return { wanderer, sealed: wanderer.client.prepare([call])[0]! }
  })
  const settle = (): void => {
    for (const [wanderer, made] of calls) wanderer.client.settle(made)
  }
  return { ready, settle }
}

/**
 * Milliseconds after the beginning at which requests are due: gaps are exponential, from a generator with a
 * fixed seed.
 */
function arrivals(count: number, rate: number): Float64Array {
  const due = new Float64Array(count)
  let [seed, at] = [0x2545f491, 0]
  for (let i = 0; i < count; i++) {
    seed ^= seed << 13
    seed ^= seed >>> 17
    seed ^= seed << 5
    const uniform = ((seed >>> 0) + 1) / 2 ** 32
    at += (-Math.log(uniform) / rate) * 1000
    due[i] = at
  }
  return due
}
