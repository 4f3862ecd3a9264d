/**
 * Guardian: the root of the actors. Starts its children in order and watches them; nothing else.
 *
 * Guarantees: a child that is gone for good is reported once by `onChildLost`: the node is to drain and exit 1.
 * Order: rooms and presence before gateway, so that the first session finds them.
 */
import { type ActorSystem, type Ctx, spawn } from '../system/actor.ts';
import type { Notifier } from '../system/directory/notifier.ts';
import { type Gateway, type GatewayDeps, spawnGateway } from './gateway.ts';
import { spawnHeadPoll } from './head-poll.ts';
import { type HeadWatch, spawnHeadWatch } from './head-watch.ts';
import { Notifications } from './notifications.ts';
import { type Presence, type PresenceDeps, spawnPresence } from './presence.ts';
import { Reads, type ReadsDeps } from './reads.ts';
import type { RoomNotices } from './room-notices.ts';
import { type Rooms, type RoomsDeps, spawnRooms } from './rooms.ts';
import { spawnVoice, type Voice } from './voice.ts';
import { Whereabouts } from './whereabouts.ts';

// ---- protocol ----

type GuardianMessage = { readonly type: 'guardian.childLost'; readonly child: string };

// ---- what it needs ----

export interface GuardianDeps {
  readonly rooms: Omit<RoomsDeps, 'notices'>;
  readonly presence: PresenceDeps;
  readonly gateway: Omit<GatewayDeps, 'rooms' | 'presence' | 'heads' | 'reads' | 'voice'>;
  readonly reads: Omit<ReadsDeps, 'rooms'>;
  readonly notifier: Notifier;
  /** Called when a child of the guardian, or the guardian, stopped for good outside of a drain. */
  readonly onChildLost: (child: string) => void;
}

export interface Guardian {
  readonly rooms: Rooms;
  readonly presence: Presence;
  readonly heads: HeadWatch;
  readonly voice: Voice;
  readonly gateway: Gateway;
  readonly reads: Reads;
}

// ---- restarts and spawn ----

export function spawnGuardian(system: ActorSystem, deps: GuardianDeps): Guardian {
  let ctxOfGuardian: Ctx<GuardianMessage> | undefined;
  const behaviour = {
    kind: 'guardian',
    start: (ctx: Ctx<GuardianMessage>) => {
      ctxOfGuardian = ctx;
      return undefined;
    },
    receive: (_state: undefined, msg: GuardianMessage) => {
      deps.onChildLost(msg.child);
      return undefined;
    },
    stopped: (_state: undefined, reason: 'stopped' | 'crashed') => {
      if (reason === 'crashed') deps.onChildLost('guardian');
    },
  };
  const ref = spawn<undefined, GuardianMessage>(system, behaviour, { name: 'guardian', mailboxMax: 64, restarts: 'never' });
  // Rooms have nobody to tell before there are sessions.
  const notices: RoomNotices = {
    read: (user, notice) => gateway.tellUser(user, { type: 'session.read', ...notice }),
    membership(room, entries) {
      heads.onMembership(room, entries);
      voice.onMembership(entries);
    },
    appended: (room, entries, members) => notifications.appended(room, entries, members),
  };
  const heads = spawnHeadWatch(ref, deps.rooms);
  const rooms = spawnRooms(ref, { ...deps.rooms, notices });
  const presence = spawnPresence(ref, deps.presence);
  const { link } = deps.presence;
  const voice = spawnVoice(ref, { ...deps.rooms, link, publish: (event) => deps.rooms.wire.state(event) });
  const notifications = new Notifications(deps.notifier, new Whereabouts(presence, deps.rooms.clock));
  if (deps.rooms.settings.sharedLog) {
    const headPoll = spawnHeadPoll(ref, { log: deps.rooms.log, rooms, heads });
    ctxOfGuardian?.watch(headPoll, () => ({ type: 'guardian.childLost', child: 'head poll' }));
  }
  const reads = new Reads({ ...deps.reads, rooms });
  const gateway = spawnGateway(ref, { ...deps.gateway, rooms, presence, heads, reads, voice });
  ctxOfGuardian?.watch(rooms.ref, () => ({ type: 'guardian.childLost', child: 'rooms' }));
  ctxOfGuardian?.watch(presence.ref, () => ({ type: 'guardian.childLost', child: 'presence' }));
  ctxOfGuardian?.watch(heads.ref, () => ({ type: 'guardian.childLost', child: 'heads' }));
  ctxOfGuardian?.watch(gateway.ref, () => ({ type: 'guardian.childLost', child: 'gateway' }));
  ctxOfGuardian?.watch(voice.ref, () => ({ type: 'guardian.childLost', child: 'voice' }));
  return { rooms, presence, voice, heads, gateway, reads };
}
