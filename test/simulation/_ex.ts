import { pathToFileURL } from 'node:url';
import { explore, scenarios } from './exhaustive.ts';
import { buildMutant } from './mutant-build.ts';
const p = await buildMutant({ name: 'looks', patch: { file: 'room-state.ts', find: 'const conflictLooksMax = 6;', replace: 'const conflictLooksMax = 1;' } });
const { RoomState } = await import(pathToFileURL(p!).href);
for (const [i, b] of [[0,{failOvers:1,unknowns:1}],[0,{failOvers:2,unknowns:1}],[0,{failOvers:2,unknowns:0}],[1,{failOvers:1,unknowns:0}],[2,{failOvers:1,unknowns:0}],[2,{failOvers:0,unknowns:1}],[3,{failOvers:1,unknowns:0}]] as const) { const t=performance.now(); const r = explore({...scenarios[i]!, budget:b}, RoomState); console.log(i, b, r.states, r.ends, r.violation, performance.now()-t); }
