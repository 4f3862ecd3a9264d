/**
 * Metrics: feeds the rows of metric-table.ts and answers GET /metrics. Only this file knows prom-client.
 *
 * Guarantees: a counter on a hot path is one addition to a plain number; everything else is read when somebody asks; a row
 * that nobody feeds is not shown; a source that throws costs its row, not the answer.
 * Does not: know what is counted. Names that are not in the table do not compile.
 */
import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, Registry } from 'prom-client';
import { type MetricName, type MetricRow, metricTable } from './metric-table.ts';

type NamesOf<Type extends MetricRow['type']> = {
  [Name in MetricName]: (typeof metricTable)[Name]['type'] extends Type ? Name : never;
}[MetricName];
type LabelOf<Name extends MetricName> = (typeof metricTable)[Name] extends { readonly labels: readonly (infer Label extends string)[] }
  ? { readonly [L in Label]: string }
  : Readonly<Record<string, never>>;

export interface Counter {
  value: number;
}
export interface Histogram {
  observe(value: number): void;
}
/** One value, or one for each value of the row's only label. */
export type Reading = number | Readonly<Record<string, number>>;

interface Fed {
  readonly counters: { readonly labels: Readonly<Record<string, string>>; readonly counter: Counter }[];
  readonly sources: (() => Reading)[];
}

export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  private readonly registry = new Registry();
  private readonly fed = new Map<MetricName, Fed>();
  private readonly histograms = new Map<MetricName, PromHistogram<string>>();

  /** Made once and kept: `counter.value += 1`. Asked again with the same labels it is another one, and both are added. */
  counter<Name extends NamesOf<'counter'>>(name: Name, ...[labels]: LabelArguments<Name>): Counter {
    const counter = { value: 0 };
    this.feed(name).counters.push({ labels: labels ?? {}, counter });
    return counter;
  }

  /** Read at each scrape. Several sources of a row are added. */
  read(name: NamesOf<'counter' | 'gauge'>, source: () => Reading): void {
    this.feed(name).sources.push(source);
  }

  /** Made once and kept. */
  histogram<Name extends NamesOf<'histogram'>>(name: Name, ...[labels]: LabelArguments<Name>): Histogram {
    let histogram = this.histograms.get(name);
    if (!histogram) {
      const { meaning, labels: labelNames = [], buckets }: MetricRow = metricTable[name];
      const row = { name, help: meaning, labelNames: [...labelNames], registers: [this.registry] };
      histogram = new PromHistogram(buckets ? { ...row, buckets: [...buckets] } : row);
      this.histograms.set(name, histogram);
    }
    return labels ? histogram.labels(labels) : histogram;
  }

  /** The constant row of what runs here. */
  info(labels: LabelOf<'playhouse_info'>): void {
    this.feed('playhouse_info').counters.push({ labels, counter: { value: 1 } });
  }

  /** What Prometheus reads. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  private feed(name: NamesOf<'counter' | 'gauge'>): Fed {
    const known = this.fed.get(name);
    if (known) return known;
    const fed: Fed = { counters: [], sources: [] };
    this.fed.set(name, fed);
    const { type, meaning, labels: labelNames = [] }: MetricRow = metricTable[name];
    const row = { name, help: meaning, labelNames: [...labelNames], registers: [this.registry] };
    const [label] = labelNames;
    if (type === 'counter') {
      new PromCounter({
        ...row,
        collect() {
          this.reset();
          tellAll(fed, label, (labels, value) => this.inc(labels, value));
        },
      });
    } else {
      new PromGauge({
        ...row,
        collect() {
          this.reset();
          tellAll(fed, label, (labels, value) => this.inc(labels, value));
        },
      });
    }
    return fed;
  }
}

type LabelArguments<Name extends MetricName> = (typeof metricTable)[Name] extends { readonly labels: readonly string[] }
  ? [labels: LabelOf<Name>]
  : [labels?: undefined];

function tellAll(
  { counters, sources }: Fed,
  label: string | undefined,
  tell: (labels: Record<string, string>, value: number) => void,
): void {
  for (const { labels, counter } of counters) tell(labels, counter.value);
  for (const source of sources) {
    const reading = readOrNothing(source);
    if (typeof reading === 'number') tell({}, reading);
    else if (label !== undefined) for (const [value, count] of Object.entries(reading)) tell({ [label]: value }, count);
  }
}

/** A part that fails while it is asked how it is must not take the numbers of all others with it. */
function readOrNothing(source: () => Reading): Reading {
  try {
    return source();
  } catch {
    return {};
  }
}
