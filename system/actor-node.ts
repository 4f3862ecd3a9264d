/**
 * ActorNode: an actor's place in the tree: its name, its path, who is above and below it, who watches it.
 *
 * Guarantees: a name is held by one living child at a time; the table of children is never copied for a message.
 * Does not: live or stop anything; the cell does.
 */
import type { Watcher } from './actor-ref.ts';
import { actorName } from './actor-runtime.ts';

export abstract class ActorNode<Self extends ActorNode<Self>> {
  readonly path: string;
  readonly segment: string;
  readonly parent: Self | undefined;
  // Made when needed: most actors are leaves and nobody watches them, and an empty Map costs 200 bytes.
  #children: Map<string, Self> | undefined;
  #watchers: Set<Watcher> | undefined;

  constructor(parent: Self | undefined, name: string) {
    this.parent = parent;
    this.segment = actorName(name);
    this.path = parent ? `${parent.path === '/' ? '' : parent.path}/${this.segment}` : '/';
  }

  /** A copy: children leave while one goes through them. */
  get children(): readonly Self[] {
    return this.#children ? [...this.#children.values()] : [];
  }

  get hasChildren(): boolean {
    return this.#children !== undefined && this.#children.size > 0;
  }

  isWithin(above: ActorNode<Self>): boolean {
    for (let node: ActorNode<Self> | undefined = this; node; node = node.parent) if (node === above) return true;
    return false;
  }

  addChild(child: Self): void {
    this.#children ??= new Map();
    if (this.#children.has(child.segment)) throw new TypeError(`spawn: ${child.path} is alive already; names are unique among siblings`);
    this.#children.set(child.segment, child);
  }

  removeChild(child: Self): void {
    this.#children?.delete(child.segment);
  }

  addWatcher(watcher: Watcher): void {
    this.#watchers ??= new Set();
    this.#watchers.add(watcher);
  }

  removeWatcher(watcher: Watcher): void {
    this.#watchers?.delete(watcher);
  }

  tellWatchers(): void {
    const watchers = this.#watchers ?? [];
    this.#watchers = undefined;
    for (const watcher of [...watchers]) watcher.targetStopped();
  }
}
