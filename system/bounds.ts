/**
 * Bounds: every queue of a node, how much it holds, what happens when it is full, and where one sees it coming.
 *
 * The source of the README's table. The values are those of the code; test/unit/bounds.test.ts names for each bound the test that
 * fills it. A new queue adds its row to the part it belongs to. The parts know names of all folders, as the composition root does; nothing
 * but docs and tests imports them.
 */
import { edgeBounds } from './bounds-edge.ts';
import { outsideBounds } from './bounds-outside.ts';
import { presenceBounds } from './bounds-presence.ts';
import { roomBounds } from './bounds-rooms.ts';

export const bounds = { ...roomBounds, ...edgeBounds, ...presenceBounds, ...outsideBounds };

export type BoundName = keyof typeof bounds;
