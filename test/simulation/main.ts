import { drawOptions } from './options.ts';
import { runSimulation } from './run.ts';
const from = Number(process.argv[2] ?? 1); const n = Number(process.argv[3] ?? 100);
const t0 = performance.now(); const fails = new Map<string, number[]>(); const counters: Record<string, number> = {};
for (let seed = from; seed < from + n; seed++) { const r = runSimulation(drawOptions(seed), { isTracing: n === 1 });
  for (const [k, v] of Object.entries(r.counters)) counters[k] = (counters[k] ?? 0) + v;
  if (r.violation) { const k = r.violation.invariant; fails.set(k, [...(fails.get(k) ?? []), seed]); if ((fails.get(k)?.length ?? 0) < 4) console.log(seed, r.violation.message); if (n === 1) console.log(r.lines.map((l) => l.text).join('\n'), r.violation.message); } }
console.log(fails, counters, (performance.now() - t0) / n, 'ms per seed');
