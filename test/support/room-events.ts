/**
 * RoomEvents: what the rooms of some nodes met, and the links between them, read as metrics and added up.
 */

/** `playhouse_room_events_total` by its event, and that of the links as `link <event>`. */
export async function eventsOf(nodes: readonly { readonly url: string }[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { url } of nodes) {
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const [, name, event, value] of text.matchAll(/^playhouse_(room_events|node_link_events)_total\{event="(\w+)"\} (\d+)$/gm)) {
      const key = name === 'room_events' ? (event as string) : `link ${event}`;
      sums[key] = (sums[key] ?? 0) + Number(value);
    }
  }
  return sums;
}
