import { explore, scenarios } from './exhaustive.ts';
const s = scenarios[0]!;
for (const b of [{failOvers:0,unknowns:0},{failOvers:1,unknowns:0},{failOvers:0,unknowns:1},{failOvers:1,unknowns:1},{failOvers:2,unknowns:0}]) { const t=performance.now(); const r = explore({...s, budget:b}); console.log(b, r.states, r.ends, r.violation, performance.now()-t); }
