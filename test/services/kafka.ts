/**
 * Kafka: Apache Kafka's own jars from Maven Central, one node that is broker and controller (KRaft).
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { keep } from './cache-folder.ts';
import { freePorts, launch, run, untilUp } from './processes.ts';
import type { Service, ServiceOptions } from './service.ts';

interface Release {
  readonly jars: readonly (readonly [group: string, artifact: string, version: string])[];
  /** A JVM option and the settings it names: warnings only, on the console. */
  readonly logging: { readonly option: string; readonly file: string; readonly text: string };
}

const releases: Record<ServiceOptions['kafka'], Release> = {
  '3.9': {
    jars: [
      ['org.apache.kafka', 'kafka_2.13', '3.9.1'],
      ['org.slf4j', 'slf4j-reload4j', '1.7.36'],
    ],
    logging: {
      option: '-Dlog4j.configuration=file:',
      file: 'log4j.properties',
      text: [
        'log4j.rootLogger=WARN, out',
        'log4j.appender.out=org.apache.log4j.ConsoleAppender',
        'log4j.appender.out.layout=org.apache.log4j.SimpleLayout',
      ].join('\n'),
    },
  },
  '4.2': {
    jars: [
      ['org.apache.kafka', 'kafka_2.13', '4.2.2'],
      ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.24.3'],
      ['org.apache.logging.log4j', 'log4j-core', '2.24.3'],
    ],
    logging: {
      option: '-Dlog4j2.configurationFile=',
      file: 'log4j2.properties',
      text: [
        'rootLogger.level=warn',
        'rootLogger.appenderRef.out.ref=out',
        'appender.out.type=Console',
        'appender.out.name=out',
        'appender.out.layout.type=PatternLayout',
      ].join('\n'),
    },
  },
};

const nameOf = ({ kafka }: ServiceOptions): string => `kafka-${kafka}`;

export const kafka: Service = {
  name: 'kafka',
  variable: 'CHAT_KAFKA_BROKERS',
  environmentOf: (brokers) => ({ PLAYHOUSE_TEST_KAFKA_BROKERS: brokers, CHAT_KAFKA_BROKERS: brokers }),

  async install(cache, options, say) {
    await keep(cache, nameOf(options), async (work) => {
      say(`fetching Apache Kafka ${options.kafka} (45 MB)`);
      writeFileSync(join(work, 'pom.xml'), pomOf(releases[options.kafka]));
      const goal = ['-q', '-B', 'dependency:copy-dependencies'];
      await run('mvn', [...goal, `-DoutputDirectory=${join(work, 'lib')}`, '-DincludeScope=runtime'], work);
      return join(work, 'lib');
    });
  },

  async start(cache, folder, options, say, onLaunch) {
    const [port = 0, controller = 0] = await freePorts(2);
    say(`starting Kafka ${options.kafka} on ${port}`);
    const home = join(folder, `kafka-${port}`);
    mkdirSync(home, { recursive: true });
    const settings = join(home, 'server.properties');
    writeFileSync(settings, settingsOf(port, controller, join(home, 'data')));
    const { logging } = releases[options.kafka];
    writeFileSync(join(home, logging.file), logging.text);
    const java = ['-Xms128m', '-Xmx512m', `${logging.option}${join(home, logging.file)}`, '-cp', join(cache, nameOf(options), '*')];
    const clusterId = Buffer.from(home).toString('base64url').slice(-22).padStart(22, 'A');
    await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', settings], home);
    const pid = launch(`kafka-${port}`, 'java', [...java, 'kafka.Kafka', settings], folder);
    onLaunch(pid);
    await untilUp('Kafka', pid, folder, `kafka-${port}`, 60_000, () => answersApiVersions(port));
    const address = `127.0.0.1:${port}`;
    // Nodes take no record that is not signed with a secret of theirs: whoever takes these variables over has one.
    const secret = randomBytes(48).toString('base64url');
    return { pids: [pid], address, environment: { ...this.environmentOf(address), CHAT_CLUSTER_SECRET: secret } };
  },
};

function pomOf({ jars }: Release): string {
  const dependency = ([group, artifact, version]: Release['jars'][number]) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project><modelVersion>4.0.0</modelVersion><groupId>playhouse</groupId><artifactId>services</artifactId><version>1</version><packaging>pom</packaging><dependencies>${jars.map(dependency).join('')}</dependencies></project>`;
}

function settingsOf(port: number, controller: number, data: string): string {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    `log.dirs=${data}`,
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=1',
    'group.initial.rebalance.delay.ms=0',
    'auto.create.topics.enable=false',
  ].join('\n');
}

/** An ApiVersions request, version 0: size, key 18, version, correlation 1, no client id. Any answer will do. */
const apiVersions = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);

function answersApiVersions(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(apiVersions));
    const end = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.setTimeout(1_000, () => end(false));
  });
}
