/**
 * StateVoice: who is in which voice channel of which community. Pure.
 *
 * Fed with places: a place `com3,c-31` is channel 31 of community 3. A community is found by its whole name, so 3 never lists 31.
 * A channel that was left by everybody stays, empty, until its room is needed.
 * Bounds: when one is met, the user is not listed; `add` says so.
 */
import { channelNumber } from './older-lines.ts';

export interface VoiceLimits {
  readonly communitiesMax: number;
  readonly channelsPerCommunityMax: number;
  /** Bounds the line that lists them, too. */
  readonly usersPerCommunityMax: number;
}

interface Community {
  /** channel → user → how often they are there: by sessions of several owners. */
  readonly channels: Map<string, Map<string, number>>;
  users: number;
}

const nobody: ReadonlyMap<string, Iterable<string>> = new Map();

export class StateVoice {
  readonly #limits: VoiceLimits;
  readonly #communities = new Map<string, Community>();
  /** Communities where somebody came or went since the last `takeTouched`. */
  #touched = new Set<string>();
  /** Communities where nobody is, the longest empty first. */
  readonly #empty = new Set<string>();

  constructor(limits: VoiceLimits) {
    this.#limits = limits;
  }

  get communities(): number {
    return this.#communities.size;
  }

  /** channel → users, of this community. */
  channelsOf(community: string): ReadonlyMap<string, Iterable<string>> {
    const found = this.#communities.get(community);
    return found === undefined ? nobody : new Map([...found.channels].map(([channel, users]) => [channel, users.keys()]));
  }

  takeTouched(): ReadonlySet<string> {
    const touched = this.#touched;
    if (touched.size > 0) this.#touched = new Set();
    return touched;
  }

  /** channel → users of this community, without the channels where nobody is. */
  *occupied(community: string): Iterable<readonly [channel: string, users: Iterable<string>]> {
    for (const [channel, users] of this.#communities.get(community)?.channels ?? []) if (users.size > 0) yield [channel, users.keys()];
  }

  has(user: string, place: string): boolean {
    const at = channelOf(place);
    return at !== undefined && (this.#communities.get(at.community)?.channels.get(at.channel)?.has(user) ?? false);
  }

  /** False: a bound is met and the user is not listed. Places that are no voice channel are none of ours: true. */
  add(user: string, place: string): boolean {
    const at = channelOf(place);
    if (at === undefined) return true;
    const community = this.#communities.get(at.community) ?? this.#open(at.community);
    const users = community?.channels.get(at.channel) ?? (community && this.#openChannel(community, at.channel));
    if (community === undefined || users === undefined) return false;
    const times = users.get(user) ?? 0;
    if (times === 0) {
      if (community.users >= this.#limits.usersPerCommunityMax) return false;
      community.users += 1;
      this.#empty.delete(at.community);
      this.#touched.add(at.community);
    }
    users.set(user, times + 1);
    return true;
  }

  remove(user: string, place: string): void {
    const at = channelOf(place);
    const community = at && this.#communities.get(at.community);
    const users = community?.channels.get(at?.channel ?? '');
    const times = users?.get(user);
    if (at === undefined || community === undefined || users === undefined || times === undefined) return;
    if (times > 1) {
      users.set(user, times - 1);
      return;
    }
    users.delete(user);
    this.#touched.add(at.community);
    community.users -= 1;
    if (community.users === 0) this.#empty.add(at.community);
  }

  #open(name: string): Community | undefined {
    if (this.#communities.size >= this.#limits.communitiesMax) {
      const [longestEmpty] = this.#empty;
      if (longestEmpty === undefined) return undefined;
      this.#empty.delete(longestEmpty);
      this.#communities.delete(longestEmpty);
    }
    const community: Community = { channels: new Map(), users: 0 };
    this.#communities.set(name, community);
    this.#empty.add(name);
    return community;
  }

  #openChannel(community: Community, channel: string): Map<string, number> | undefined {
    const { channels } = community;
    if (channels.size >= this.#limits.channelsPerCommunityMax) {
      const empty = [...channels].find(([, users]) => users.size === 0);
      if (empty === undefined) return undefined;
      channels.delete(empty[0]);
    }
    const users = new Map<string, number>();
    channels.set(channel, users);
    return users;
  }
}

function channelOf(place: string): { readonly community: string; readonly channel: string } | undefined {
  const comma = place.indexOf(',');
  if (!place.startsWith('com') || comma === -1) return undefined;
  const channel = channelNumber(place.slice(comma + 1));
  return channel === undefined ? undefined : { community: place.slice('com'.length, comma), channel };
}
