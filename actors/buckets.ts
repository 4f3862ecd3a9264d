/**
 * Buckets: the silent parents under which actors stand that come by the thousand.
 *
 * Guarantees: the same name is always in the same bucket; names are spread evenly.
 */
import { type ActorRef, spawnBucket } from '../system/actor.ts';

const bucketCount = 64;

export type Buckets = readonly ActorRef<never>[];

export function spawnBuckets(home: ActorRef<never>): Buckets {
  return Array.from({ length: bucketCount }, (_, index) => spawnBucket(home, `bucket-${String(index).padStart(2, '0')}`));
}

/** By FNV-1a over the name. */
export function bucketOf(buckets: Buckets, name: string): ActorRef<never> {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return buckets[(hash >>> 0) % buckets.length] as ActorRef<never>;
}
