/**
 * NodeFlags: what Node itself is started with where it runs a chat node: by `npm start`, in the image, in compose, here.
 *
 * `../unit/compose.test.ts` sees to it that all say the same. Measured: system/decisions.md, "A node is started with".
 */
export const nodeFlags: readonly string[] = [
  // Several threads would share the core with the event loop; a second core is better used by a second node.
  '--single-threaded-gc',
  // What lives for one answer is not made old from the beginning because others of its kind have become old.
  '--no-allocation-site-pretenuring',
  // A full collection stops the loop for as long as what is alive takes to mark: rather half as often, in a heap a third larger.
  '--heap-growing-percent=400',
  // What waits for its append is not copied twice: a young collection comes half as often.
  '--max-semi-space-size=32',
];
