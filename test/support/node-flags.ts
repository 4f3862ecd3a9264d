/**
 * NodeFlags: what Node itself is started with where it runs a chat node: by `npm start`, in the image, in compose, here.
 *
 * One thread collects garbage: several would share the core with the event loop, and a second core is better used by a second node.
 * (`../unit/compose.test.ts` sees to it that all say the same.)
 */
export const nodeFlags: readonly string[] = ['--single-threaded-gc'];
