import type { Config } from './config.ts';
import type { Server } from './server.ts';

/** What a person who starts the registry wants to know: what it runs on, how safe that is, and what to do first. */
export function welcome(server: Server, config: Config): string {
  const url = config.http.externalUrl ?? server.url;
  const host = new URL(url).host.replace(/^(0\.0\.0\.0|\[::\])(?=:|$)/, 'localhost');
  return `
Pier One listens on ${server.url}${url === server.url ? '' : `, and is reached by ${url}`}.
${server.description.join('\n')}
${protection(config)}

Push a first image:
${
  config.access.isSecured
    ? `  docker login -u oauth2 ${host}   (the password is an OAuth 2 token)
`
    : ''
}  docker pull hello-world
  docker tag hello-world ${host}/acme/hello:1.0
  docker push ${host}/acme/hello:1.0
Docker Desktop runs its daemon in a machine of its own, where ${host} is something else: start with
HTTP_HOST=0.0.0.0${config.access.isSecured ? '' : ' HTTP_ALLOW_UNPROTECTED=true'}, add "host.docker.internal:${new URL(server.url).port}" to its
insecure registries, and write that name instead of ${host}.
`;
}

function protection({ access, http }: Config): string {
  if (!access.isSecured) {
    return `Nothing is protected: everyone who reaches ${http.host} may pull and push.`;
  }
  const pulls = access.allowsPublicRead ? 'Everyone may pull' : 'Who has a valid token may pull';
  return `${pulls}; to push, one has to be in the repository's team, or a service that may.`;
}
