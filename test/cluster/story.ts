/**
 * Story: what every story of a cluster needs: its size, its bounds, what is said, and its figures in words.
 *
 * CLUSTER_FULL=1 plays at the size that is promised; without it the stories are short. CLUSTER_MARGIN (default 1) widens the bounds of
 * time by that factor, for machines that other programs share.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTranscript } from '../replay/transcript.ts';
import type { ClusterStage } from './cluster-stage.ts';
import { servers } from './cluster-stage.ts';
import type { Crowd, Figures } from './crowd.ts';
import { readRooms } from './store-reader.ts';

export const isFull = process.env['CLUSTER_FULL'] === '1';
const margin = Number(process.env['CLUSTER_MARGIN'] ?? 1);

/** A bound of time as it is asserted here. */
export const withinMs = (promisedMs: number): number => promisedMs * margin;

export const folder = fileURLToPath(new URL('../support/transcripts/', import.meta.url));
/** CLUSTER_TRANSCRIPTS: a folder with more of them. */
export const transcriptFiles = (): string[] => {
  const from = process.env['CLUSTER_TRANSCRIPTS'] ?? folder;
  return readdirSync(from)
    .filter((name) => name.endsWith('.gz'))
    .sort()
    .map((name) => join(from, name));
};

/** What real people said, in their order. */
export async function realTexts(): Promise<string[]> {
  const [first] = transcriptFiles();
  if (first === undefined) throw new Error(`no transcripts in ${folder}`);
  const { lines } = await readTranscript(first);
  return lines.flatMap((line) => ('text' in line ? [line.text.slice(0, 2_000)] : []));
}

/** The independent reader's word on everything the crowd did. */
export async function verdict(stage: ClusterStage, crowd: Crowd, mongoUrl: string = servers.mongo): Promise<string[]> {
  const prefix = (crowd.rooms[0] as string).replace(/\d+$/, '');
  const broken = crowd.violations(await readRooms(mongoUrl, stage.database.db.databaseName, prefix));
  return broken.length > 20 ? [...broken.slice(0, 20), `… and ${broken.length - 20} more`] : broken;
}

export function tell(story: string, { ack, delivery, deliveries }: Figures, more = ''): void {
  const told = (name: string, { p50, p99, max }: Figures['ack']): string => `${name} p50 ${p50}, p99 ${p99}, longest ${max} ms`;
  console.log(
    `${story}: ${told('ack', ack)}; ${told('delivery', delivery)} over ${deliveries} deliveries${more === '' ? '' : `; ${more}`}`,
  );
}
