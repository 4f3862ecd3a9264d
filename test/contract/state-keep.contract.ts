/**
 * The contract of StateKeep, for any twin: the next life of the state server finds what the one before knew.
 */
import { expect, it } from 'vitest';
import type { KeptSource, StateKeep } from '../../system/state/state-keep.ts';
import { type Session, StateSessions } from '../../system/state/state-sessions.ts';
import { waitUntil } from '../support/store-processes.ts';

/** What a state server holds, with the keep told of every change. */
export class KeptLife {
  readonly keep: StateKeep;
  readonly #sessions = new StateSessions({ sessionsMax: 1_000_000, onPlace: () => {} });
  readonly #owners = new Set<string>();

  constructor(keep: StateKeep) {
    this.keep = keep;
  }

  get source(): KeptSource {
    return { owners: () => this.#owners, of: (owner) => this.#sessions.of(owner) };
  }

  put(owner: string, id: string, session: Session): void {
    this.#owners.add(owner);
    this.#sessions.put(owner, id, session);
    this.keep.changed(owner, id);
  }

  remove(owner: string, id: string): void {
    this.#sessions.remove(owner, id);
    this.keep.changed(owner, id);
  }

  rows(): readonly string[] {
    return [...this.#owners]
      .flatMap((owner) => rowsOf([...this.#sessions.of(owner)].map(([id, session]) => ({ owner, id, ...session }))))
      .sort();
  }
}

export const rowsOf = (kept: readonly (Session & { readonly owner: string; readonly id: string })[]): readonly string[] =>
  kept.map(({ owner, id, user, place }) => JSON.stringify([owner, id, user, place])).sort();

export const one = 'node-1\nnode-1.abc';
export const two = 'node-2\nnode-2.xyz';
const odd = ['s1', 's:2', 's 3', '', 'ß', '*', '{"a":1}', 'x'.repeat(200)];

/** `newPlace`: empty; each `open` of it is one more life of the state server. */
export function stateKeepContract(places: { newPlace(): { open(): Promise<StateKeep> } }): void {
  it('gives a first life nothing', async () => {
    const keep = await places.newPlace().open();
    expect(await keep.load()).toEqual([]);
    await keep.close();
  });

  it('gives the next life every session with its user and place, whatever they are called', async () => {
    const place = places.newPlace();
    const life = new KeptLife(await place.open());
    life.put(one, 'early', { user: 'ada', place: 'home' });
    life.keep.follow(life.source);
    for (const [index, id] of odd.entries()) life.put(index % 2 === 0 ? one : two, id, { user: `user-${index}`, place: 'com3,c-31' });
    life.put('older', 'S', { user: '1', place: 'r-7' });
    await life.keep.close();
    const next = await place.open();
    expect(rowsOf(await next.load())).toEqual(life.rows());
    expect(life.rows()).toHaveLength(odd.length + 2);
    await next.close();
  });

  it('gives the last state of each: moved, gone, gone and back', async () => {
    const place = places.newPlace();
    const life = new KeptLife(await place.open());
    life.keep.follow(life.source);
    for (const id of ['stays', 'moves', 'goes', 'returns']) life.put(one, id, { user: id, place: 'home' });
    life.put(one, 'moves', { user: 'moves', place: 'c-1' });
    life.remove(one, 'goes');
    life.remove(one, 'returns');
    life.put(one, 'returns', { user: 'returns', place: 'c-2' });
    life.put(two, 'alone', { user: 'alone', place: 'home' });
    life.remove(two, 'alone');
    life.remove(two, 'never was');
    await waitUntil('all is written', () => life.keep.waiting() === 0);
    await life.keep.close();
    const next = await place.open();
    expect(rowsOf(await next.load())).toEqual(life.rows());
    expect(life.rows()).toHaveLength(3);
    await next.close();
  });

  it('lets a life that follows take the place of the one before, which stands back', async () => {
    const place = places.newPlace();
    const before = new KeptLife(await place.open());
    before.keep.follow(before.source);
    before.put(one, 's', { user: 'old', place: 'home' });
    await waitUntil('it is written', () => before.keep.waiting() === 0);
    const after = new KeptLife(await place.open());
    after.put(two, 's', { user: 'new', place: 'home' });
    after.keep.follow(after.source);
    await waitUntil('the one before has noticed', () => {
      before.put(one, 's', { user: 'old', place: `r-${performance.now()}` });
      return JSON.stringify(before.keep.health()).includes('another');
    });
    await before.keep.close();
    await after.keep.close();
    const next = await place.open();
    expect(rowsOf(await next.load())).toEqual(after.rows());
    await next.close();
  });
}
