/**
 * Topics: the names of the six topics and of the consumer groups that read them, and which event goes where.
 *
 * Other services read these topics: the names and what stands where are a contract. Order is kept within a topic and room, not
 * across topics: the room that is told puts it right.
 */
import type { Incarnation, NodeId } from '../ids.ts';
import type { EntryKind, RoomKind } from '../store/entry.ts';

/** Each topic with the first part of the group that reads it. A node's own group ends in its id: every node must see every event. */
export const groupsOfTopics = {
  'chat-topic': 'direct-server-group',
  'direct-topic': 'channel-server-group',
  'etc-direct-topic': 'direct-etc-server-group',
  'etc-community-topic': 'channel-etc-server-group',
  'file-topic': 'file-server-group',
  'state-topic': 'state-group',
} as const;

export type TopicName = keyof typeof groupsOfTopics;
export const topicNames = Object.keys(groupsOfTopics) as readonly TopicName[];

/** For whoever reads them. */
export const contentsOfTopics: Readonly<Record<TopicName, string>> = {
  'chat-topic': 'messages of direct rooms and groups',
  'direct-topic': 'messages of channels',
  'etc-direct-topic': 'of direct rooms and groups: typing, replies, edits, deletes, reactions, membership, read marks',
  'etc-community-topic': 'the same of channels',
  'file-topic': 'uploaded files, of every room',
  'state-topic': 'connect, disconnect, before-enter, enter, exit-community, exit-room',
};

/** A group belongs to no community: its events stand with those of direct rooms, which also have several people. */
const isDirect = (kind: RoomKind): boolean => kind !== 'channel';

export function topicOfEntry(room: RoomKind, entry: EntryKind): TopicName {
  if (entry === 'file') return 'file-topic';
  if (entry === 'message') return isDirect(room) ? 'chat-topic' : 'direct-topic';
  return topicOfSignal(room);
}

export const topicOfSignal = (room: RoomKind): TopicName => (isDirect(room) ? 'etc-direct-topic' : 'etc-community-topic');

/** The group of one life of a node; `life` counts the consumers it needed. A group id used again waits for its dead member. */
export function groupOf(topic: TopicName, node: NodeId, incarnation: Incarnation, life: number): string {
  const boot = incarnation.slice(node.length + 1);
  return `${groupsOfTopics[topic]}-${node}-${boot}${life === 0 ? '' : `-${life}`}`;
}
