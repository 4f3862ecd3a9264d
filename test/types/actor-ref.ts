/**
 * What the compiler must refuse about refs. Checked by `tsc`: an unused @ts-expect-error is an error. Never run.
 */
import { type ActorRef, type ActorSystem, ask, type Behaviour, type Ctx, callbackRef, isStopped, spawn, tell } from '../../system/actor.ts';

type Join = { readonly type: 'room.join'; readonly user: string };
type Leave = { readonly type: 'room.leave' };
type Command = Join | Leave;
type Stored = { readonly type: 'room.stored' };
type Internal = Command | Stored;
type Reply = { readonly type: 'room.joined' };

declare const system: ActorSystem;
declare const commands: ActorRef<Command>;
declare const replies: ActorRef<Reply>;
declare const internals: ActorRef<Internal>;
declare const room: Behaviour<number, Internal>;

// A ref of one protocol is not a ref of another.
// @ts-expect-error
export const wrongProtocol: ActorRef<Command> = replies;
// Who takes more may stand where less is sent, never the other way round.
export const narrowed: ActorRef<Join> = commands;
export const narrowedInternals: ActorRef<Command> = internals;
// @ts-expect-error
export const widened: ActorRef<Internal> = commands;

// Exported as a ref of commands, an actor cannot be sent its internals.
export const spawned: ActorRef<Command> = spawn(system, room, { name: 'room', mailboxMax: 1, restarts: 'never' });
tell(spawned, { type: 'room.leave' });
// @ts-expect-error
tell(spawned, { type: 'room.stored' });
// @ts-expect-error
tell(spawned, { type: 'room.join' });
// @ts-expect-error
tell(spawned, { type: 'room.nonsense' });

// Every ref can be asked about itself, and nothing can be told to a ref of unknown protocol.
isStopped(commands);
export const anyRef: ActorRef<never> = commands;
// @ts-expect-error
tell(anyRef, { type: 'room.leave' });
// @ts-expect-error
tell(system.root, 'hello');

// A ref cannot be made by hand.
// @ts-expect-error
export const forged: ActorRef<Command> = { path: '/forged', kind: 'room' };

// Questions are checked too, and so are pipes and timers.
export const asked: Promise<Reply> = ask<Command, Reply>(system, commands, () => ({ type: 'room.leave' }), 1);
// @ts-expect-error
ask<Command, Reply>(system, commands, () => ({ type: 'room.stored' }), 1);
export const onCtx = (ctx: Ctx<Command>) => {
  ctx.after(1, { type: 'room.leave' });
  // @ts-expect-error
  ctx.after(1, { type: 'room.stored' });
  ctx.pipe(
    Promise.resolve(1),
    () => ({ type: 'room.leave' }),
    // @ts-expect-error
    () => ({ type: 'room.stored' }),
  );
};

// A behaviour is synchronous.
export const asyncBehaviour: Behaviour<number, Command> = {
  kind: 'room',
  start: () => 0,
  // @ts-expect-error
  receive: async (state) => state,
};
export const probe: ActorRef<Reply> = callbackRef<Reply>('probe', () => {});
