import { mutants } from '/work/main/test/simulation/mutants.ts';
import { buildMutant } from '/work/main/test/simulation/mutant-build.ts';
import { drawOptions } from '/work/main/test/simulation/options.ts';
import { runSimulation } from '/work/main/test/simulation/run.ts';
for (const m of mutants) { const p = await buildMutant(m); const machine = p ? (await import(p)).RoomState : undefined; const t0 = performance.now();
 let caught = ''; let s = 1;
 for (; s <= 1000; s++) { const r = runSimulation(drawOptions(s, { stateChecks: false, ...m.fixed }), machine ? { machine } : {}); if (r.violation) { caught = r.violation.message; break; } }
 let clean = '';
 if (m.fixed && !m.isOption) for (let k = 1; k <= 1000; k++) { const r = runSimulation(drawOptions(k, m.fixed)); if (r.violation) { clean = `UNMUTATED FAILS ${k} ${r.violation.message}`; break; } }
 console.log(m.name, '|', s, '|', caught.slice(0, 150), '|', Math.round(performance.now() - t0), clean); }
