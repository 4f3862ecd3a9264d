/**
 * BalancerConfig: what nginx or haproxy is told, for websockets in front of nodes on this machine. Pure.
 *
 * Both hand a request on to another node when one does not take it. Neither sets X-Forwarded-For: they listen on loopback only, so whoever
 * comes through them is this machine itself, which development tokens are for.
 */
export interface BalancerPlan {
  readonly port: number;
  readonly nodePorts: readonly number[];
  /** Where it may write, with an absolute path. */
  readonly folder: string;
  readonly isRoot: boolean;
  /** Files a process may have open here; each connection takes two. */
  readonly filesMax: number;
}

const connectionsMax = 8_192;

export type BalancerKind = 'nginx' | 'haproxy';

export const balancerConfig: Readonly<Record<BalancerKind, (plan: BalancerPlan) => string>> = {
  nginx: nginxConfig,
  haproxy: haproxyConfig,
};

/**
 * Health is passive: a node that refuses a connection is left out for two seconds. In turn, not by fewest connections: a frozen node
 * takes connections and has the fewest, so that all newcomers would be sent to it.
 * One process (`master_process off`): a kill -9 leaves no worker behind.
 */
function nginxConfig({ port, nodePorts, folder, isRoot }: BalancerPlan): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path "${folder}/${name}";`);
  return `${isRoot ? 'user root;\n' : ''}daemon off;
master_process off;
pid "${folder}/nginx.pid";
error_log stderr warn;
events { worker_connections ${connectionsMax}; }
http {
  access_log off;
${temporary.join('\n')}
  upstream nodes {
${nodePorts.map((nodePort) => `    server 127.0.0.1:${nodePort} max_fails=1 fail_timeout=2s;`).join('\n')}
  }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_connect_timeout 1s;
      # A node pings each client every eight seconds: silence for longer than this is a node that is gone.
      proxy_read_timeout 30s;
      proxy_send_timeout 30s;
      proxy_next_upstream error timeout http_503;
      proxy_request_buffering off;
      proxy_buffering off;
    }
  }
}
`;
}

/** Health is asked for: a node that is not ready (draining, frozen) gets nobody new from the second after. */
function haproxyConfig({ port, nodePorts, filesMax }: BalancerPlan): string {
  // More than its files allow, and it does not start; none given, and where files are without limit it takes memory for all of them.
  return `global
  maxconn ${Math.max(64, Math.min(connectionsMax, Math.floor((filesMax - 200) / 2)))}
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  # A node pings each client every eight seconds: silence for longer than this is a node that is gone.
  timeout tunnel 30s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response 503
frontend edge
  bind 127.0.0.1:${port}
  default_backend nodes
backend nodes
  balance leastconn
  option httpchk GET /readyz
  http-check send hdr Host localhost
  default-server check inter 1s fastinter 200ms fall 2 rise 1
${nodePorts.map((nodePort, index) => `  server node-${index + 1} 127.0.0.1:${nodePort}`).join('\n')}
`;
}
