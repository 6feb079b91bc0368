import { optionalPackage } from '../../platform/optional-package.ts'
import type { Metric } from './metrics.ts'

/** Metrics in the form that Prometheus reads. */
export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/**
 * Writes metrics down. @throws MissingPackageError there is no `prom-client`
 */
export async function expose(metrics: readonly Metric[]): Promise<Exposition> {
  const { Registry } = await optionalPackage('prom-client', '/metrics', () => import('prom-client'))
  const registry = new Registry()
  // What counts is elsewhere: a registry asks a metric for its values, and nothing else.
  for (const metric of metrics) registry.registerMetric(asked(metric))
  return { contentType: registry.contentType, text: await registry.metrics() }
}

type Registered = Parameters<InstanceType<typeof import('prom-client').Registry>['registerMetric']>[0]

function asked(metric: Metric): Registered {
  return { ...metric, aggregator: 'sum', get: async () => metric } as unknown as Registered
}
