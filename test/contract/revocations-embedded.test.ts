/** The contract of Revocations, kept by the embedded twin, and what it does about a slot that does not read. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import type { Revocation } from '../../system/store/revocations.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { embeddedStores, silentLog, tempFolder } from '../support/embedded-stores.ts';
import { user } from '../support/entries.ts';
import { revocationsContract } from './revocations.contract.ts';

describe('Revocations embedded', () => {
  const stores = embeddedStores();
  afterAll(() => stores.removeAll());
  revocationsContract(stores);

  it('takes a slot that does not read for everybody until now, once, and keeps that over restarts', async () => {
    const temp = tempFolder();
    const open = () => openEmbeddedStore({ dir: temp.dir, clock: systemClock, log: silentLog });
    let store = await open();
    const atMs = systemClock.wallMs();
    const eve: Revocation = { of: { user: user('eve') }, atMs, endsAtMs: atMs + 60_000 };
    await store.revocations.add({ ...eve, of: { jti: 'lost' } });
    await store.revocations.add(eve);
    await store.close();
    expect(readdirSync(temp.dir).length).toBeGreaterThan(3);
    const level = new ClassicLevel(join(temp.dir));
    await level.put('v!00000000', 'a value that was not sealed for this key');
    await level.close();
    store = await open();
    const found = (await store.revocations.read()).revocations;
    expect(found.map(({ of }) => of)).toEqual([{ everybody: true }, eve.of]);
    expect(found[0]?.atMs).toBeGreaterThanOrEqual(atMs);
    await store.close();
    store = await open();
    expect((await store.revocations.read()).revocations).toEqual(found);
    await store.close();
    temp.remove();
  });
});
