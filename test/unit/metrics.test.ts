/**
 * Metrics: what is counted is what is read; the table is as the house has tables.
 */
import { describe, expect, it } from 'vitest';
import { type MetricRow, metricTable } from '../../system/metric-table.ts';
import { Metrics } from '../../system/metrics.ts';

const rows = Object.entries(metricTable) as [string, MetricRow][];

/** Lines that are values: `name{labels} value`. */
async function valuesOf(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('the table', () => {
  it('names units as Prometheus does: counters end in _total, histograms and gauges in a unit or a thing', () => {
    for (const [name, { type, meaning, buckets }] of rows) {
      expect(name).toMatch(/^playhouse_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(meaning, name).toMatch(/[.…]$/);
      expect(buckets !== undefined, name).toBe(type === 'histogram');
    }
  });

  it('has no label whose values a client could choose or that grow without bound', () => {
    const bounded = ['version', 'node', 'part', 'ev', 'mode', 'code', 'event', 'status', 'outcome', 'read', 'kind', 'direction', 'why'];
    for (const [name, { labels = [] }] of rows) for (const label of labels) expect(bounded, `${name} ${label}`).toContain(label);
  });
});

describe('metrics', () => {
  it('show a counter as it stands at each reading, and add counters of the same labels', async () => {
    const metrics = new Metrics();
    const first = metrics.counter('playhouse_appends_total', { outcome: 'appended' });
    const second = metrics.counter('playhouse_appends_total', { outcome: 'appended' });
    const other = metrics.counter('playhouse_appends_total', { outcome: 'unknown' });
    first.value += 2;
    second.value += 3;
    expect(await valuesOf(metrics)).toEqual({
      'playhouse_appends_total{outcome="appended"}': 5,
      'playhouse_appends_total{outcome="unknown"}': 0,
    });
    other.value += 1;
    expect((await valuesOf(metrics))['playhouse_appends_total{outcome="unknown"}']).toBe(1);
    expect((await valuesOf(metrics))['playhouse_appends_total{outcome="appended"}']).toBe(5);
  });

  it('ask gauges when somebody reads, and forget label values that are gone', async () => {
    const metrics = new Metrics();
    let actors: Record<string, number> = { room: 2, session: 1 };
    metrics.read('playhouse_actors', () => actors);
    expect(await valuesOf(metrics)).toEqual({ 'playhouse_actors{kind="room"}': 2, 'playhouse_actors{kind="session"}': 1 });
    actors = { room: 1 };
    expect(await valuesOf(metrics)).toEqual({ 'playhouse_actors{kind="room"}': 1 });
  });

  it('lose one row, not the answer, when a source throws', async () => {
    const metrics = new Metrics();
    metrics.read('playhouse_readers', () => {
      throw new Error('gone');
    });
    metrics.read('playhouse_sessions', () => 4);
    expect((await valuesOf(metrics))['playhouse_sessions']).toBe(4);
  });

  it('put values of a histogram into its buckets', async () => {
    const metrics = new Metrics();
    metrics.histogram('playhouse_append_entries').observe(3);
    const values = await valuesOf(metrics);
    expect(values['playhouse_append_entries_bucket{le="2"}']).toBe(0);
    expect(values['playhouse_append_entries_bucket{le="4"}']).toBe(1);
    expect(values['playhouse_append_entries_sum']).toBe(3);
  });
});
